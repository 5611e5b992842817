"""Rules about the node itself: its id, its data, its links to the mesh and its firewall."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from receptor_runner.receptor_config.checks.patterns import fault_of
from receptor_runner.receptor_config.checks.ports import check_port
from receptor_runner.receptor_config.findings import Finding, error, note, warning
from receptor_runner.receptor_config.parse import Block, Document, Entry, Items, Scalar, Table
from receptor_runner.receptor_config.schema import BACKENDS, LISTENERS, PEERS
from receptor_runner.receptor_config.values import closest, is_number, is_positive, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEVELS = ("error", "warning", "info", "debug")
_RULE_KEYS = ("action", "fromnode", "tonode", "fromservice", "toservice")
_ACTIONS = ("accept", "reject", "drop")
_SWEPT = ("/tmp", "/var/tmp")  # noqa: S108 -- the directories that are warned of
_SHORTEST_IDLE_S = 21


def check_node(document: Document) -> Iterator[Finding]:
    """Yield findings about the node block, the log level and the links."""
    # Blocks that could not be read would only seem to be missing, and certificate commands are no node at all.
    if not document.findings and not any(block.kind.name.startswith("cert-") for block in document.blocks):
        yield from _check_presence(document)
    for node in document.all("node"):
        yield from _check_id(node)
        yield from _check_datadir(node)
        yield from _check_idle(node)
        yield from _check_firewall(node)
    for block in document.all("log-level"):
        yield from _check_level(block)
    yield from _check_links(document)


def _check_presence(document: Document) -> Iterator[Finding]:
    if document.first("node") is None:
        yield note("no-node", 1, "there is no node block: the host's name becomes the node's id")
        yield warning(
            "datadir-tmp", 1, "units are kept in /tmp/receptor, which cleaners empty", _DATADIR_HINT
        )
    if not any(_is_backend(document, block) for block in document.blocks):
        hint = "add a listener or a peer, or local-only for a node without a mesh"
        if document.version == 2 and document.first("local-only"):
            hint = "in v2 it is `local-only:` with `local: true` below"
        yield error("no-backend", 1, "nothing links this node to anything, so the daemon will not run", hint)
    if document.first("work-command") and document.first("control-service") is None:
        yield warning(
            "no-control-service",
            1,
            "work-commands without a control-service: nobody can submit work",
            "add a control-service with a filename, or without one for the mesh alone",
        )


def _is_backend(document: Document, block: Block) -> bool:
    if block.kind.name == "local-only" and document.version == 2:
        return block.flag("local")
    return block.kind.name in BACKENDS


def _check_id(node: Block) -> Iterator[Finding]:
    node_id = node.text("id")
    if node_id.lower() == "localhost":
        yield error("node-id-reserved", node.line_of("id"), "the node id localhost is reserved")
    elif not node_id:
        yield note("no-node-id", node.line, "no id is set: the host's name becomes the node's id")
    elif re.search(r"[\s/]", node_id):
        yield warning(
            "node-id-odd",
            node.line_of("id"),
            f"the node id {node_id!r} holds a blank or a slash",
            "it names a directory and is a word in commands: use letters, digits, . _ -",
        )


_DATADIR_HINT = "set node.datadir, for example to /var/lib/receptor"


def _check_datadir(node: Block) -> Iterator[Finding]:
    datadir = node.text("datadir")
    line = node.line_of("datadir")
    if not datadir:
        yield warning(
            "datadir-tmp", line, "units are kept in /tmp/receptor, which cleaners empty", _DATADIR_HINT
        )
    elif not datadir.startswith("/"):
        yield warning(
            "datadir-relative",
            line,
            f"datadir {datadir} depends on where the daemon is started",
            _DATADIR_HINT,
        )
    elif any(Path(datadir).is_relative_to(swept) for swept in _SWEPT):
        yield warning("datadir-tmp", line, f"datadir {datadir} is where cleaners delete", _DATADIR_HINT)


def _check_idle(node: Block) -> Iterator[Finding]:
    text = node.text("maxidleconnectiontimeout")
    if not text:
        return
    line = node.line_of("maxidleconnectiontimeout")
    idle_s = seconds(text)
    if idle_s is None:
        yield error("bad-duration", line, f"{text} is not a duration", "write 60s, 30m or 1h30m")
    elif idle_s < _SHORTEST_IDLE_S:
        yield error("idle-too-short", line, f"{text} is less than 21s, which the daemon refuses")


def _check_level(block: Block) -> Iterator[Finding]:
    level = block.text("level")
    if level and level.lower() not in _LEVELS:
        guess = closest(level, _LEVELS)
        hint = f"did you mean {guess}?" if guess else f"one of {', '.join(_LEVELS)}"
        yield error("log-level", block.line_of("level"), f"{level} is not a log level", hint)


def _check_firewall(node: Block) -> Iterator[Finding]:
    entry = node.get("firewallrules")
    rules = entry.value.values if entry and isinstance(entry.value, Items) else ()
    for rule in rules:
        if isinstance(rule, Table):
            yield from _check_rule(rule)
        else:
            yield error("firewall-rule", rule.line, "a firewall rule is a map with an action")


def _check_rule(rule: Table) -> Iterator[Finding]:
    values = {entry.name: entry for entry in rule.entries}
    for entry in rule.entries:
        if entry.name not in _RULE_KEYS:
            guess = closest(entry.name, _RULE_KEYS)
            hint = f"did you mean {guess}?" if guess else f"its keys are {', '.join(_RULE_KEYS)}"
            yield error("firewall-rule", entry.line, f"a firewall rule has no key {entry.written!r}", hint)
        elif not isinstance(entry.value, Scalar) or not entry.value.is_text:
            yield error("firewall-rule", entry.line, f"{entry.written} must be text", "quote it")
        elif entry.value.text.startswith("/"):
            yield from _check_pattern(entry, entry.value.text)
    action = values.get("action")
    said = action.value if action else None
    if action is None:
        yield error("firewall-rule", rule.line, "a firewall rule needs an action", "accept, reject or drop")
    elif isinstance(said, Scalar) and said.is_text and said.text.lower() not in _ACTIONS:
        yield error("firewall-rule", action.line, f"{said.text!r} is not an action", "accept, reject or drop")


def _check_pattern(entry: Entry, text: str) -> Iterator[Finding]:
    closed = len(text) > 1 and text.endswith("/")
    fault = fault_of(text[1:-1]) if closed else "it does not end in /"
    if fault:
        yield error(
            "firewall-pattern",
            entry.line,
            f"{entry.written}: {text} is no pattern ({fault}), so the daemon drops this condition from the rule",
            "a pattern is /regex/; without it the rule matches far more",
        )


def _check_links(document: Document) -> Iterator[Finding]:
    taken: dict[tuple[str, str], int] = {}
    for block in document.all(*LISTENERS):
        port, line = block.text("port"), block.line_of("port")
        yield from check_port(port, line)
        if port == "0":
            yield warning("bad-port", line, "port 0 is any free port, so no peer can know it")
            continue
        family = ("udp" if block.kind.name == "udp-listener" else "tcp", port)
        if port and family in taken:
            yield error("duplicate-port", line, f"port {port} is already used on line {taken[family]}")
        taken.setdefault(family, line)
    for block in document.all(*PEERS, *LISTENERS):
        yield from _check_cost(document, block)
        yield from _check_node_costs(document, block)
    for block in document.all(*PEERS):
        yield from _check_peer(document, block)
    for block in document.all("ws-listener") if document.version == 2 else ():
        if not block.text("path"):
            yield error(
                "ws-path", block.line, "a v2 ws-listener without a path crashes the daemon", "write path: /"
            )


def _check_cost(document: Document, block: Block) -> Iterator[Finding]:
    text, line = block.text("cost"), block.line_of("cost")
    if not is_number(text) or is_positive(text):
        return
    if document.version == 2 and not text.startswith("-"):
        yield warning("bad-value", line, "v2 takes a cost of 0 for 1")
    else:
        yield error("bad-value", line, "a cost must be greater than 0")


def _check_node_costs(document: Document, block: Block) -> Iterator[Finding]:
    """Source: v1 takes what YAML reads as a number, v2 a text that looks like one, too."""
    held = block.get("nodecost")
    for entry in held.value.entries if held and isinstance(held.value, Table) else ():
        cost = entry.value
        if (
            not isinstance(cost, Scalar)
            or not is_number(cost.text)
            or (cost.quoted and document.version == 1)
        ):
            message = f"the cost of {entry.written} is not a number"
            yield error("bad-value", entry.line, message, "write it without quotes, such as 1.5")
        elif not is_positive(cost.text):
            yield error("bad-value", entry.line, f"the cost of {entry.written} must be greater than 0")


def _check_peer(document: Document, block: Block) -> Iterator[Finding]:
    address, line = block.text("address"), block.line_of("address")
    if block.kind.name == "ws-peer":
        if address and urlsplit(address).scheme not in {"ws", "wss"}:
            yield error(
                "peer-address", line, f"{address} is not a URL", "write ws://host:port/path or wss://…"
            )
        yield from _check_header(block)
    elif address and not re.fullmatch(r"(\[[^\]]+\]|[^:\s/]+):\d+", address):
        yield error("peer-address", line, f"{address} is not host:port")
    else:
        yield from check_port(address, line)
    if document.version == 2 and block.text("redial") and not block.flag("redial"):
        yield warning(
            "redial-ignored", block.line_of("redial"), "v2 always redials, whatever is written here"
        )


def _check_header(block: Block) -> Iterator[Finding]:
    header = block.text("extraheader")
    if header and ":" not in header:
        message = f"extraheader: {header} is not of the form key:value, which the daemon does not survive"
        yield error("bad-value", block.line_of("extraheader"), message)
