"""The status line of a sliced job, drawn with rich."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable

from rich.text import Text

from receptor_runner.cli.live.drawing import draw, terminal_console
from receptor_runner.cli.live.slices_view import SlicePhase, SlicesLine, SlicesView
from receptor_runner.cli.live.status_line import joined, two_sides

_STYLES = {SlicePhase.RUNNING: "cyan", SlicePhase.DONE: "green", SlicePhase.FAILED: "bold red"}


class SlicesLineRenderer:
    """Draws the status line.

    Args:
        view: the slices.
    """

    def __init__(self, view: SlicesView) -> None:
        self._view = view
        self._console = terminal_console(sys.stderr)

    def __call__(self, width: int) -> tuple[str, int]:
        """Return the line for a terminal of so many columns, and how many of them it takes."""
        line = self._view.line(time.monotonic())
        text = two_sides(_descriptions(line), line.hosts, line.elapsed_s, width - 1)
        return draw(self._console, [text]), text.cell_len


def _descriptions(line: SlicesLine) -> Iterable[Text]:
    """Yield how the slices stand, from the full form to the shortest."""
    total = sum(line.phases.values())
    phases = [
        Text(f"{count} {phase}", _STYLES.get(phase, ""))
        for phase in (SlicePhase.RUNNING, SlicePhase.DONE, SlicePhase.FAILED, SlicePhase.WAITING)
        if (count := line.phases[phase])
    ]
    title = Text("1 slice" if total == 1 else f"{total} slices", "bold")
    if line.trouble:
        node, text = next(iter(line.trouble.items()))
        yield joined([title, *phases, Text(f"{node}: {text}", "bold yellow")])
    yield joined([title, *phases])
    yield joined(phases)
