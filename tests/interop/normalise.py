"""Makes the lines of two workers comparable: replaces what differs from run to run, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from operator import itemgetter
from pathlib import Path
from typing import Any

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(_\d+)?")
_TEXTS = (
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(\+00:00)?"), "<time>"),
    (re.compile(r"\b\d:\d\d:\d\d\.\d+"), "<duration>"),
    (re.compile(r"\bj\d+\.\d+"), "<jid>"),
    (re.compile(r"Paused for [\d.]+ "), "Paused for <duration> "),
    (re.compile(r"ansible-tmp-[\d.]+-\d+-\d+"), "<ansible-tmp>"),
    (re.compile(r"ansible-local-\w+"), "<ansible-local>"),
    (re.compile(r"\btmp[a-z0-9_]{8}\b"), "<tmp>"),
    (re.compile(r"(^|/)\.[a-z0-9_]{8}\b"), r"\1<tmp>"),
)
_NUMBERS = frozenset({"pid", "duration", "ctime", "mtime", "atime", "inode", "ino"})

_BANNER = re.compile(r"\r\n(TASK|RUNNING HANDLER) \[[^\r]*\*(\r\n|$)")

VOLATILE_FACTS = frozenset(
    {
        "ansible_date_time",
        "ansible_loadavg",
        "ansible_memfree_mb",
        "ansible_memory_mb",
        "ansible_mounts",
        "ansible_swapfree_mb",
        "ansible_uptime_seconds",
    }
)
"""Facts that change from one second to the next."""


def host_of(event: Mapping[str, Any]) -> str:
    """Return the host that an event is about; empty where there is none."""
    return str((event.get("event_data") or {}).get("host") or "")


def in_task_order(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return events so that within a task those of one host stand together, with their lines numbered anew.

    Even with one fork, whether a host's result is told before or after the next host's start is a matter of chance.
    """
    stretches = accumulate(not host_of(event) for event in events)
    hosts: dict[str, int] = {}
    placed = [
        ((part, hosts.setdefault(host_of(event), len(hosts))), event)
        for part, event in zip(stretches, events, strict=True)
    ]
    line = 0
    ordered = []
    for _place, event in sorted(placed, key=itemgetter(0)):
        end = line + event["end_line"] - event["start_line"]
        ordered.append(event | {"start_line": line, "end_line": end})
        line = end
    return ordered


class Normaliser:
    """Replaces ids, times, process ids and the worker's own directory.

    An id becomes what it names: the playbook, play or task that started with it, else `<other>`, and an event's own
    id `<own>`. So links between events are compared as a structure.

    Args:
        root: the directory of the worker.
        events: all events of the run.
        by_host: whether hosts go their own ways, so that which of them a task starts with is a matter of chance.
    """

    def __init__(self, root: Path, events: Iterable[dict[str, Any]], *, by_host: bool) -> None:
        self._root = str(root)
        self._by_host = by_host
        self._named = dict(_names(events, numbered=not by_host))

    def line(self, line: dict[str, Any]) -> dict[str, Any]:
        """Return a status or event in its comparable form; the order of its keys is the entry `keys`."""
        own = line.get("uuid")
        clean: dict[str, Any] = self._value(line, "", own) | {"keys": list(line)}
        if self._by_host and (banner := _BANNER.match(clean.get("stdout", ""))):
            clean["stdout"] = clean["stdout"][banner.end() :]
            clean["end_line"] -= 2
        return clean

    def value(self, value: Any) -> Any:
        """Return a value that is no line in its comparable form."""
        return self._value(value, "", None)

    def text(self, text: str) -> str:
        """Return a text in its comparable form."""
        return self._text(text, None)

    def _value(self, value: Any, key: str, own: str | None) -> Any:
        if key in VOLATILE_FACTS or (key in _NUMBERS and isinstance(value, int | float)):
            return f"<{key}>"
        if isinstance(value, dict):
            return {self._text(name, own): self._value(item, name, own) for name, item in value.items()}
        if isinstance(value, list):
            return [self._value(item, "", own) for item in value]
        return self._text(value, own) if isinstance(value, str) else value

    def _text(self, text: str, own: str | None) -> str:
        text = text.replace(self._root, "<root>")
        text = _UUID.sub(lambda found: self._name(found[0], own), text)
        for pattern, word in _TEXTS:
            text = pattern.sub(word, text)
        return text

    def _name(self, uuid: str, own: str | None) -> str:
        return self._named.get(uuid) or ("<own>" if uuid == own else "<other>")


def _names(events: Iterable[dict[str, Any]], *, numbered: bool) -> Iterator[tuple[str, str]]:
    """Yield the id of each playbook, play and task that starts, and a name for it that is the same in both runs."""
    seen: dict[str, int] = {}
    for event in events:
        kind = str(event.get("event")).removeprefix("playbook_on_")
        if kind in {"start", "play_start", "task_start"}:
            title = event["stdout"].strip().partition("\r\n")[0].rstrip(" *")
            name = f"{kind} {title or (event.get('event_data') or {}).get('name', '')}"
            seen[name] = seen.get(name, 0) + 1
            yield event["uuid"], f"<{name} #{seen[name]}>" if numbered else f"<{name}>"


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and value of every leaf of a nested value; an empty container is a leaf."""
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    if not items or not value:
        yield path, value
        return
    for key, item in items:
        yield from flat(item, f"{path}/{key}")
