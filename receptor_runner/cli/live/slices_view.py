"""How the slices of a job stand, computed from what happens to them. No IO, no clock of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from receptor_runner.cli.live.view import HostCounts, RunView


class SlicePhase(StrEnum):
    """How far a slice has come."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicesLine:
    """What the status line shows of many slices.

    Attributes:
        phases: how many slices are how far.
        trouble: the nodes from which nothing arrives, and why.
        hosts: the hosts of all slices.
        elapsed_s: seconds since the beginning.
    """

    phases: Mapping[SlicePhase, int]
    trouble: Mapping[str, str]
    hosts: HostCounts
    elapsed_s: float


@dataclass(slots=True, kw_only=True)
class SlicesView:
    """The state of all slices, fed with what happens to them.

    Attributes:
        began: when the sliced job began, in seconds of the caller's monotonic clock.
        failures: host and task of each failure in the slices that have ended.
    """

    began: float
    failures: list[tuple[str, str]] = field(default_factory=list)
    _phases: dict[int, SlicePhase] = field(default_factory=dict)
    _views: dict[int, RunView] = field(default_factory=dict)
    _ended: dict[int, HostCounts] = field(default_factory=dict)
    _trouble: dict[int, tuple[str, str]] = field(default_factory=dict)

    def wait(self, number: int) -> None:
        """Take that a slice waits."""
        self._phases[number] = SlicePhase.WAITING
        self._views.pop(number, None)

    def run(self, number: int) -> None:
        """Take that a slice runs."""
        self._phases[number] = SlicePhase.RUNNING
        self._views[number] = RunView(began=self.began)

    def end(self, number: int, *, is_good: bool) -> None:
        """Take that a slice has ended."""
        self._phases[number] = SlicePhase.DONE if is_good else SlicePhase.FAILED
        self._trouble.pop(number, None)
        # the hosts by name are not needed any more, only their numbers
        if view := self._views.pop(number, None):
            self._ended[number] = view.hosts
            self.failures += view.failures

    def take_event(self, number: int, event: Mapping[str, Any]) -> None:
        """Take an event of a slice."""
        if view := self._views.get(number):
            view.take_event(event)

    def take_trouble(self, number: int, node: str, text: str) -> None:
        """Take why nothing arrives from a slice; "" once it is over."""
        if text:
            self._trouble[number] = (node, text)
        else:
            self._trouble.pop(number, None)

    def line(self, now: float) -> SlicesLine:
        """Return what the status line shows at a moment."""
        phases = list(self._phases.values())
        counts = [*self._ended.values(), *(view.hosts for view in list(self._views.values()))]
        return SlicesLine(
            phases={phase: phases.count(phase) for phase in SlicePhase},
            trouble=dict(self._trouble.values()),
            hosts=HostCounts(
                ok=sum(count.ok for count in counts),
                changed=sum(count.changed for count in counts),
                failed=sum(count.failed for count in counts),
            ),
            elapsed_s=max(now - self.began, 0.0),
        )
