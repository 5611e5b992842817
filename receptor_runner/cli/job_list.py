"""The list of jobs as a person reads it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from receptor_runner.cli import messages, output, units

if TYPE_CHECKING:
    from rich.text import Text

_HEADER = ("job", "playbook", "node", "state", "age", "took", "failed")
_STYLES = {
    "successful": "green",
    "running": "cyan",
    "failed": "red",
    "timeout": "red",
    "error": "red",
    "lost": "bold red",
    "canceled": "yellow",
}
_MADE_IDENT = re.compile("[0-9a-f]{32}").fullmatch
_SHOWN_IDENT = 8
_NAMES, _NUMBERS = ("job", "playbook", "node"), ("age", "took", "failed")
_DISPENSABLE = ("took", "age", "playbook", "failed", "node")
"""The columns that are left out where the terminal is too narrow for all, the first one first."""

_SHORTEST_NAME = 6
"""Names are cut down to this before a column is left out."""

_GAP = "  "


def show(jobs: Sequence[dict[str, Any]]) -> None:
    """Print a table of jobs: on a terminal in its width, else with whole names.

    Args:
        jobs: as `job_view.describe_view` returns them.
    """
    if not jobs:
        messages.note("no jobs")
        return
    rows = [_cells(job) for job in jobs]
    if sys.stdout.isatty():
        _show_on_terminal([[_short(job, row[0]), *row[1:]] for job, row in zip(jobs, rows, strict=True)])
    else:
        output.table([list(_HEADER), *rows])


def _cells(job: dict[str, Any]) -> list[str]:
    hosts, failed = job["hosts"], job["hosts_failed"]
    return [
        job["ident"],
        job["playbook"] or "-",
        job["node"],
        job["status"],
        units.compact(job["age_s"]),
        "-" if job["duration_s"] is None else units.compact(job["duration_s"]),
        "-" if hosts is None else f"{failed}/{hosts}",
    ]


def _short(job: dict[str, Any], ident: str) -> str:
    """Return the beginning of an ident that we made; one that a person chose is shown whole."""
    return ident[:_SHOWN_IDENT] if _MADE_IDENT(job["ident"]) else ident


def _show_on_terminal(rows: list[list[str]]) -> None:
    from rich.text import Text

    from receptor_runner.cli.live.drawing import draw, terminal_console

    console = terminal_console(sys.stdout)
    longest = [max(map(len, column)) for column in zip(_HEADER, *rows, strict=True)]
    widths = fitted(dict(zip(_HEADER, longest, strict=True)), _width())
    for row in ([Text(name, "bold") for name in _HEADER], *map(_styled, rows)):
        cells = [(cell, name) for cell, name in zip(row, _HEADER, strict=True) if name in widths]
        for cell, name in cells:
            cell.truncate(widths[name], overflow="ellipsis")
            cell.align("right" if name in _NUMBERS else "left", widths[name])
        output.line(draw(console, [Text(_GAP).join(cell for cell, _name in cells)]))


def _styled(row: list[str]) -> list[Text]:
    from rich.text import Text

    return [
        Text(cell, _STYLES.get(cell, "") if name == "state" else "")
        for cell, name in zip(row, _HEADER, strict=True)
    ]


def fitted(longest: dict[str, int], room: int) -> dict[str, int]:
    """Return the columns that fit into a terminal, with their widths.

    Names give way first, then whole columns: a state or a number that is cut would say something else.

    Args:
        longest: how wide each column would be.
        room: how wide the terminal is.
    """
    widths = dict(longest)
    for dropped in (None, *_DISPENSABLE):
        widths = {name: longest[name] for name in widths if name != dropped}
        excess = sum(widths.values()) + len(_GAP) * (len(widths) - 1) - room
        while excess > 0 and (name := _widest_name(widths)):
            widths[name] -= 1
            excess -= 1
        if excess <= 0:
            break
    return widths


def _widest_name(widths: dict[str, int]) -> str | None:
    """Return the widest column of names that can still give way."""
    names = [name for name in _NAMES if widths.get(name, 0) > _SHORTEST_NAME]
    return max(names, key=lambda name: widths[name], default=None)


def _width() -> int:
    return os.get_terminal_size(sys.stdout.fileno()).columns or 80
