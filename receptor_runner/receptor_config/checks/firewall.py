"""Checks of the node's firewall rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from receptor_runner.receptor_config.checks.patterns import find_fault
from receptor_runner.receptor_config.document import Block, Document, Entry, Items, Scalar, Table
from receptor_runner.receptor_config.findings import Finding, error
from receptor_runner.receptor_config.values import closest

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEYS = ("action", "fromnode", "tonode", "fromservice", "toservice")
_ACTIONS = ("accept", "reject", "drop")
_ACTION_HINT = "use accept, reject or drop"


def check_firewall(document: Document) -> Iterator[Finding]:
    """Yield findings about the firewall rules."""
    for node in document.all("node"):
        for rule in _rules(node):
            if isinstance(rule, Table):
                yield from _check_rule(rule)
            else:
                yield error("firewall-rule", rule.line, "a firewall rule must be a map with an action")


def _rules(node: Block) -> tuple[Scalar | Items | Table, ...]:
    entry = node.get("firewallrules")
    return entry.value.values if entry and isinstance(entry.value, Items) else ()


def _check_rule(rule: Table) -> Iterator[Finding]:
    for entry in rule.entries:
        yield from _check_condition(entry)
    action = next((entry for entry in rule.entries if entry.name == "action"), None)
    if action is None:
        yield error("firewall-rule", rule.line, "a firewall rule needs an action", _ACTION_HINT)
        return
    value = action.value
    if isinstance(value, Scalar) and value.is_text and value.text.lower() not in _ACTIONS:
        yield error("firewall-rule", action.line, f"unknown action {value.text!r}", _ACTION_HINT)


def _check_condition(entry: Entry) -> Iterator[Finding]:
    if entry.name not in _KEYS:
        guess = closest(entry.name, _KEYS)
        hint = f"did you mean {guess}?" if guess else f"its keys are {', '.join(_KEYS)}"
        yield error("firewall-rule", entry.line, f"a firewall rule has no key {entry.written!r}", hint)
    elif not isinstance(entry.value, Scalar) or not entry.value.is_text:
        yield error("firewall-rule", entry.line, f"{entry.written} must be text", "quote it")
    elif entry.value.text.startswith("/"):
        yield from _check_pattern(entry, entry.value.text)


def _check_pattern(entry: Entry, text: str) -> Iterator[Finding]:
    closed = len(text) > 1 and text.endswith("/")
    fault = find_fault(text[1:-1]) if closed else "no / at the end"
    if fault:
        message = (
            f"{entry.written}: {text} is not a valid pattern ({fault}); the daemon ignores this condition"
        )
        hint = "a pattern is /regex/; without the condition the rule matches far more"
        yield error("firewall-pattern", entry.line, message, hint)
