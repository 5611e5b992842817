"""The list of jobs as a person reads it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from receptor_runner.cli import output, units

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
_SHORTEST_NAME = 4
_GAP = "  "


def show(jobs: Sequence[dict[str, Any]]) -> None:
    """Print a table of jobs: on a terminal in its width, else with whole names.

    Args:
        jobs: as `job_view.describe_view` returns them.
    """
    if not jobs:
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
    widths = _fitted([max(map(len, column)) for column in zip(_HEADER, *rows, strict=True)], _width())
    for row in ([Text(name, "bold") for name in _HEADER], *map(_styled, rows)):
        for cell, width, name in zip(row, widths, _HEADER, strict=True):
            cell.truncate(width, overflow="ellipsis")
            cell.align("right" if name in _NUMBERS else "left", width)
        output.line(draw(console, [Text(_GAP).join(row)]))


def _styled(row: list[str]) -> list[Text]:
    from rich.text import Text

    return [
        Text(cell, _STYLES.get(cell, "") if name == "state" else "")
        for cell, name in zip(row, _HEADER, strict=True)
    ]


def _fitted(widths: list[int], room: int) -> list[int]:
    """Return widths that fit, if names can give way: a state or a number that is cut would say something else."""
    widths = list(widths)
    shrinking = [_HEADER.index(name) for name in _NAMES]
    while sum(widths) + len(_GAP) * (len(widths) - 1) > room:
        widest = max(shrinking, key=lambda column: widths[column])
        if widths[widest] <= _SHORTEST_NAME:
            break
        widths[widest] -= 1
    return widths


def _width() -> int:
    return os.get_terminal_size(sys.stdout.fileno()).columns or 80
