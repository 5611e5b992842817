"""Compares what two workers gave for the same job, and lists every difference."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum
from itertools import groupby
from typing import Any

from tests.interop.normalise import Normaliser, flat, host_of, in_task_order
from tests.interop.workers import Ran

ABSENT = "(absent)"
"""Stands for a field that is not there."""


class Order(Enum):
    """How far two runs of a job can agree.

    IN_ORDER: event by event, with the lines where each stands; for one fork and the linear strategy.
    BY_HOST: the events of each host in their order, and the same events altogether.
    WITHOUT_VERBOSE: event by event, verbose lines aside; for the verbosities at which ansible tells of its own doings.
    """

    IN_ORDER = "in order"
    BY_HOST = "by host"
    WITHOUT_VERBOSE = "without verbose"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that two runs do not agree on.

    Attributes:
        event: the kind of event; or `status`, `exit`, `stdout` and the like for what is no event.
        field: the path of the field; empty where a whole event is on one side only.
        peer: the peer's value.
        ours: ours.
        nth: which event it is, for the reader.
    """

    event: str
    field: str
    peer: Any
    ours: Any
    nth: int = 0

    def __str__(self) -> str:
        where = f"#{self.nth} {self.event} {self.field}".rstrip()
        return f"{where}\n    peer: {_short(self.peer)}\n    ours: {_short(self.ours)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else repr(value)
    return text if len(text) < 600 else f"{text[:400]}... ({len(text)} characters) ...{text[-100:]}"


def differences(peer: Ran, ours: Ran, order: Order) -> list[Difference]:
    """Return everything in which two runs of a job differ."""
    sides = (_Side(peer, order), _Side(ours, order))
    found = [*_field_differences("exit", {"code": peer.exit_code}, {"code": ours.exit_code})]
    found += _statuses(*sides)
    found += _artifacts(*sides)
    if order is Order.BY_HOST:
        return found + list(_by_host(*sides))
    return found + list(_in_order(sides[0].events, sides[1].events))


class _Side:
    """One run in its comparable form."""

    def __init__(self, ran: Ran, order: Order) -> None:
        self._normaliser = Normaliser(ran.root, ran.events, by_host=order is Order.BY_HOST)
        clean = self._normaliser.line
        self.statuses = [clean(line) for line in ran.statuses]
        self.sequence = [kind for kind, _ in groupby(line.get("status", "(events)") for line in ran.lines)]
        events = [event for event in ran.events if order is not Order.WITHOUT_VERBOSE or _counts(event)]
        self.events = [_placed(clean(event), order) for event in in_task_order(events)]
        # whether ansible-runner keeps text outside of events in its file depends on how it arrives
        self._loose = Counter(event["stdout"] for event in self.events if "event_data" not in event)
        self.artifacts = {name: self._artifact(name, content) for name, content in ran.artifacts.items()}
        if order is not Order.IN_ORDER:
            self.artifacts.pop("stdout", None)

    def _artifact(self, name: str, content: bytes) -> Any:
        text = content.decode("utf-8", "backslashreplace")
        if name == "command" or text.startswith('{"__payload__"'):
            return self._normaliser.value(_unwrapped(json.loads(text)))
        if text.startswith('{"'):
            events = in_task_order([json.loads(line) for line in text.splitlines()])
            return {"events": [_placed(self._normaliser.line(event), Order.IN_ORDER) for event in events]}
        lines = Counter(line.rstrip("\r") for line in self._normaliser.text(text).split("\n"))
        return list((lines - self._loose if name == "stdout" else lines).elements())


def _unwrapped(content: dict[str, Any]) -> Any:
    """Return the facts of a cache file, which ansible-core keeps as JSON within JSON."""
    return json.loads(content["__payload__"]) if "__payload__" in content else content


def _counts(event: Mapping[str, Any]) -> bool:
    return event.get("event") not in {"verbose", "debug"}


def _placed(event: dict[str, Any], order: Order) -> dict[str, Any]:
    """Return an event without its number, and, where there is no fixed order, without its place."""
    lines = event["end_line"] - event["start_line"]
    unwanted = {"counter"} if order is Order.IN_ORDER else {"counter", "start_line", "end_line"}
    return {key: value for key, value in event.items() if key not in unwanted} | {"lines": lines}


def _statuses(peer: _Side, ours: _Side) -> Iterator[Difference]:
    yield from _field_differences("sequence", {"of": peer.sequence}, {"of": ours.sequence})
    for nth, (one, other) in enumerate(zip(peer.statuses, ours.statuses, strict=False)):
        yield from _field_differences("status", one, other, nth)


def _artifacts(peer: _Side, ours: _Side) -> Iterator[Difference]:
    """Yield the differences of files; of text, the lines that are in one only, for events tell their order."""
    for name in sorted({*peer.artifacts, *ours.artifacts}):
        one, other = peer.artifacts.get(name, {}), ours.artifacts.get(name, {})
        event = f"artifact {name}"
        if name not in peer.artifacts or name not in ours.artifacts:
            yield Difference(event=event, field="", peer=one or ABSENT, ours=other or ABSENT)
        elif isinstance(one, list):
            for line in (Counter(one) - Counter(other)).elements():
                yield Difference(event=event, field="line", peer=line, ours=ABSENT)
            for line in (Counter(other) - Counter(one)).elements():
                yield Difference(event=event, field="line", peer=ABSENT, ours=line)
        else:
            yield from _field_differences(event, one, other)


def _field_differences(
    event: str, peer: Mapping[str, Any], ours: Mapping[str, Any], nth: int = 0
) -> Iterator[Difference]:
    one, other = dict(flat(dict(peer))), dict(flat(dict(ours)))
    for field in [*one, *(field for field in other if field not in one)]:
        if one.get(field, ABSENT) != other.get(field, ABSENT):
            yield Difference(
                event=event, field=field, peer=one.get(field, ABSENT), ours=other.get(field, ABSENT), nth=nth
            )


def _in_order(peer: list[dict[str, Any]], ours: list[dict[str, Any]]) -> Iterator[Difference]:
    """Yield the differences of two lists of events; equally many in a row are compared one by one."""
    matcher = SequenceMatcher(a=_keys(peer), b=_keys(ours), autojunk=False)
    for kind, start, end, other_start, other_end in matcher.get_opcodes():
        mine, theirs = ours[other_start:other_end], peer[start:end]
        if kind == "equal":
            for nth, (one, other) in enumerate(zip(theirs, mine, strict=True), start + 1):
                yield from _field_differences(_kind(one), one, other, nth)
            continue
        yield from (_alone(event, peer=event) for event in theirs)
        yield from (_alone(event, ours=event) for event in mine)


def _alone(event: Mapping[str, Any], *, peer: Any = ABSENT, ours: Any = ABSENT) -> Difference:
    return Difference(event=_kind(event), field="", peer=peer, ours=ours)


def _kind(event: Mapping[str, Any]) -> str:
    return str(event.get("event"))


def _keys(events: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return by what events are recognised as the same, for the alignment."""
    keys = []
    for event in events:
        data = event.get("event_data") or {}
        text = event["stdout"] if _kind(event) in {"verbose", "warning", "deprecated", "error"} else ""
        keys.append((_kind(event), data.get("host"), data.get("task"), text))
    return keys


def _by_host(peer: _Side, ours: _Side) -> Iterator[Difference]:
    one, other = _grouped(peer.events), _grouped(ours.events)
    for host in sorted({*one, *other}):
        yield from _in_order(one.get(host, []), other.get(host, []))


def _grouped(events: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the events of each host in their order; those of no host sorted, for their order is not fixed."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        groups.setdefault(host_of(event), []).append(event)
    groups.get("", []).sort(key=lambda event: json.dumps(event, sort_keys=True))
    return groups
