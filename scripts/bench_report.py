"""What a benchmark found, as a Markdown table and as a chart."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

HEADER = """\
| work | ours, s | ansible-runner, s | times as fast | CPU, times as little | floor, s | ours : floor | memory, MiB |
|---|---|---|---|---|---|---|---|"""

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
        peer: ansible-runner's.
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
        cpu = _ratio([run.cpu_s for run in self.peer], [run.cpu_s for run in self.ours])
        floor = above = ""
        if self.floor:
            floor = f"{wall(self.floor):.3f}"
            above = f"{_ratio([run.wall_s for run in self.ours], [run.wall_s for run in self.floor]):.2f}"
        memory = (
            f"{max(run.memory_mib for run in self.ours):.0f} : {max(run.memory_mib for run in self.peer):.0f}"
        )
        cells = [
            self.title,
            f"{wall(self.ours):.3f}",
            f"{wall(self.peer):.3f}",
            f"{self.speed:.1f}",
            f"{cpu:.1f}",
        ]
        return f"| {' | '.join([*cells, floor, above, memory])} |"


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
    longest = max(wall(case.ours), wall(case.peer))
    scale = (_WIDTH - _LABEL - 90) / longest
    bars = _text(8, top + 17, case.title)
    for offset, runs, color in ((0, case.ours, "#0b7285"), (_BAR + 1, case.peer, "#adb5bd")):
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
