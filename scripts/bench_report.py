"""What a benchmark found, as a Markdown table and as a chart."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

HEADER = """\
| work | ours, s | ansible-runner, s | times as fast | in CPU | floor, s | ours : floor | in CPU | memory, MiB |
|---|---|---|---|---|---|---|---|---|"""

_LABEL, _WIDTH, _ROW, _BAR = 300, 760, 40, 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One run: seconds on the clock, seconds of CPU, largest memory of a process in MiB."""

    wall_s: float
    cpu_s: float
    memory_mib: float


@dataclass(slots=True, kw_only=True)
class Found:
    """The runs of one case, in the order in which they were made.

    Attributes:
        title: what was done.
        ours: our runs.
        peer: ansible-runner's; empty where it has nothing of the kind.
        floor: those of the least that must be done; empty where there is none.
        note: what else is worth a word, for below the table.
    """

    title: str
    ours: list[Measure] = field(default_factory=list)
    peer: list[Measure] = field(default_factory=list)
    floor: list[Measure] = field(default_factory=list)
    note: str = ""

    @property
    def speed(self) -> float:
        """How many times as fast as the peer: the median of the pairs of runs, since the machine's speed drifts."""
        return _ratio([run.wall_s for run in self.peer], [run.wall_s for run in self.ours])

    def row(self) -> str:
        """Return the row of the table."""
        memory = " : ".join(_memory(runs) for runs in (self.ours, self.peer) if runs)
        cells = [self.title, f"{wall(self.ours):.3f}", *self._against_peer(), *self._against_floor(), memory]
        return f"| {' | '.join(cells)} |"

    def _against_peer(self) -> list[str]:
        if not self.peer:
            return ["", "", ""]
        cpu = _ratio([run.cpu_s for run in self.peer], [run.cpu_s for run in self.ours])
        return [f"{wall(self.peer):.3f}", f"{self.speed:.1f}", f"{cpu:.1f}"]

    def _against_floor(self) -> list[str]:
        if not self.floor:
            return ["", "", ""]
        above = _ratio([run.wall_s for run in self.ours], [run.wall_s for run in self.floor])
        # The loops count only seconds on the clock, and what `run` starts is no child of it.
        cpu = _ratio([run.cpu_s for run in self.ours], [run.cpu_s for run in self.floor])
        is_comparable = bool(self.peer) and self.floor[0].memory_mib > 0
        return [f"{wall(self.floor):.3f}", f"{above:.2f}", f"{cpu:.2f}" if is_comparable else ""]


def _memory(runs: Sequence[Measure]) -> str:
    return f"{max(run.memory_mib for run in runs):.0f}"


def wall(runs: Sequence[Measure]) -> float:
    """Return the median of the seconds on the clock."""
    return statistics.median(run.wall_s for run in runs)


def _ratio(above: Sequence[float], below: Sequence[float]) -> float:
    return statistics.median(one / other for one, other in zip(above, below, strict=True))


def table(found: Sequence[Found]) -> str:
    """Return all cases as a Markdown table, with their notes below it."""
    notes = [f"{case.title}: {case.note}" for case in found if case.note]
    return "\n".join([HEADER, *(case.row() for case in found), *(f"\n{note}" for note in notes)])


def chart(found: Sequence[Found]) -> str:
    """Return the cases as an SVG chart: of each, the peer's time as a full bar and ours as a part of it."""
    height = _ROW * len(found) + 34
    rows = "".join(_bars(case, 30 + _ROW * number) for number, case in enumerate(found))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n'
        f"{_text(_LABEL, 16, 'time: receptor-runner, ansible-runner, and the floor as a line')}{rows}</svg>\n"
    )


def _bars(case: Found, top: int) -> str:
    programs = [(case.ours, "#0b7285"), (case.peer, "#adb5bd")]
    longest = max(wall(runs) for runs in (case.ours, case.peer, case.floor) if runs)
    scale = (_WIDTH - _LABEL - 90) / longest
    bars = _text(8, top + 17, case.title.partition(" (floor")[0])  # the table says which floor it is
    for offset, (runs, color) in zip((0, _BAR + 1), programs, strict=True):
        if not runs:
            continue
        length = max(wall(runs) * scale, 1)
        bars += (
            f'<rect x="{_LABEL}" y="{top + offset}" width="{length:.0f}" height="{_BAR}" fill="{color}"/>\n'
        )
        bars += _text(_LABEL + length + 6, top + offset + 11, f"{wall(runs):.2f} s")
    if case.floor:
        place = _LABEL + wall(case.floor) * scale
        bars += f'<path d="M{place:.0f} {top - 2}v{2 * _BAR + 5}" stroke="#c92a2a" stroke-width="2"/>\n'
    return bars


def _text(left: float, top: float, text: str) -> str:
    return f'<text x="{left:.0f}" y="{top:.0f}">{escape(text)}</text>\n'
