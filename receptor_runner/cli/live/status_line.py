"""The status line, drawn with rich."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable

from rich.progress_bar import ProgressBar
from rich.text import Text

from receptor_runner.cli import units
from receptor_runner.cli.live.drawing import draw, terminal_console
from receptor_runner.cli.live.view import HostCounts, Phase, RunView, StatusLine, Upload

_BAR_WIDTH = 20
_NARROW = 70
"""Below this width the upload goes without a bar."""

_SEPARATOR = " \N{MIDDLE DOT} "


class StatusLineRenderer:
    """Draws the status line of a job.

    Args:
        view: the job.
    """

    def __init__(self, view: RunView) -> None:
        self._view = view
        self._console = terminal_console(sys.stderr)

    def __call__(self, width: int) -> tuple[str, int]:
        """Return the line for a terminal of so many columns, and how many of them it takes."""
        line = self._view.line(time.monotonic())
        usable = width - 1  # the last column stays free: terminals differ in what they do after it
        parts = _upload(line.upload, usable) if line.upload else [_status(line, usable)]
        columns = sum(part.width or 0 if isinstance(part, ProgressBar) else part.cell_len for part in parts)
        return draw(self._console, parts), columns


def _status(line: StatusLine, width: int) -> Text:
    return two_sides(_descriptions(line), line.hosts, line.elapsed_s, width)


def two_sides(descriptions: Iterable[Text], hosts: HostCounts, elapsed_s: float, width: int) -> Text:
    """Return a line with what is done on its left, and the hosts and the time on its right.

    Args:
        descriptions: what is done, from the full form to the shortest.
        hosts: how many hosts are in which state.
        elapsed_s: seconds since the beginning.
        width: columns.
    """
    right = _counts(hosts)
    right.append(("  " if right else "") + units.clock(elapsed_s))
    room = width - right.cell_len - 2
    if room < 8:  # nothing useful fits beside the numbers
        right.truncate(width, overflow="ellipsis")
        return right
    left = _fitting(descriptions, room)
    left.truncate(room, overflow="ellipsis", pad=True)
    return Text.assemble(left, "  ", right)


def _descriptions(line: StatusLine) -> Iterable[Text]:
    """Yield what the job does, from the full form to the shortest."""
    node = [Text(line.node, "bold")] if line.node else []
    if line.trouble:
        trouble = Text(f"{line.trouble} for {units.duration(line.trouble_s)}", "bold yellow")
        yield joined([*node, trouble])
        yield trouble
    elif line.phase is not Phase.RUNNING or not (line.play or line.task):
        yield joined([*node, Text(line.phase.value)])
    else:
        task = [Text(line.task)] if line.task else []
        yield joined([*node, Text(line.play, "dim"), *task])
        yield joined([*node, *(task or [Text(line.play)])])
        yield joined(task or [Text(line.play)])


def joined(parts: list[Text]) -> Text:
    """Return texts as one, with dots between them."""
    text = Text()
    for part in parts:
        text = Text.assemble(text, (_SEPARATOR, "dim"), part) if text else part
    return text


def _fitting(candidates: Iterable[Text], room: int) -> Text:
    chosen = Text()
    for chosen in candidates:
        if chosen.cell_len <= room:
            break
    return chosen


def _counts(hosts: HostCounts) -> Text:
    shown = [Text(f"{hosts.ok} ok", "green")] if hosts.ok else []
    shown += [Text(f"{hosts.changed} changed", "yellow")] if hosts.changed else []
    shown += [Text(f"{hosts.failed} failed", "bold red")] if hosts.failed else []
    return Text("  ").join(shown)


def _upload(upload: Upload, width: int) -> list[Text | ProgressBar]:
    share = f"{100 * upload.sent // max(upload.size, 1):>3} %"
    done = Text(f"uploading {units.size(upload.sent)} of {units.size(upload.size)}  ")
    rest = Text(f"  {share}  {units.size(upload.rate)}/s")
    if upload.left_s is not None:
        rest.append(f"  {units.duration(upload.left_s)} left")
    if width < _NARROW:
        text = Text.assemble(done, rest)
        text.truncate(width, overflow="ellipsis")
        return [text]
    bar_width = min(_BAR_WIDTH, max(width - done.cell_len - rest.cell_len, 1))
    # Colors of the terminal's own palette, which its owner chose for its background.
    bar = ProgressBar(
        total=max(upload.size, 1),
        completed=upload.sent,
        width=bar_width,
        style="bright_black",
        complete_style="green",
        finished_style="green",
    )
    return [done, bar, rest]
