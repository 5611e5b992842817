"""The two ways to show a job on the way: a status line on a terminal, plain lines everywhere else."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Protocol

from receptor_runner.cli import logs, messages, units
from receptor_runner.cli.live import bottom_line
from receptor_runner.cli.live.view import Upload

UPLOAD_PAUSE_S = 10.0
"""Without a terminal, the progress of an upload is written this often."""


class Renderer(Protocol):
    """Shows a job on the way. What it shows beside the output is computed by a view.

    Attributes:
        is_live: whether it shows the view itself, which then has to be fed with events and retries.
    """

    is_live: bool

    def output(self, text: str, /) -> None:
        """Show a piece of the job's output."""

    def upload(self, progress: Upload, /) -> None:
        """Show the progress of the upload."""

    def trouble(self, text: str, /) -> None:
        """Show why nothing arrives, or that it is over."""

    def close(self) -> None:
        """Show what is pending; nothing is shown afterwards."""


class PlainRenderer:
    """Writes lines: the output to stdout, news to stderr.

    Args:
        write_output: writes to stdout.
    """

    is_live = False

    def __init__(self, write_output: Callable[[str], None]) -> None:
        self.output = write_output
        self._told_at = time.monotonic()

    def upload(self, progress: Upload, /) -> None:
        """Write how far the upload is, every ten seconds."""
        now = time.monotonic()
        if progress.sent >= progress.size or now - self._told_at < UPLOAD_PAUSE_S:
            return
        self._told_at = now
        left = "" if progress.left_s is None else f", {units.duration(progress.left_s)} left"
        share = 100 * progress.sent // progress.size
        messages.note(
            f"uploaded {units.size(progress.sent)} of {units.size(progress.size)} ({share} %), "
            f"{units.size(progress.rate)}/s{left}"
        )

    def trouble(self, text: str, /) -> None:
        """Write what is wrong, once, and that it is over."""
        messages.note(f"warning: {text}", logging.WARNING)

    def close(self) -> None:
        """Do nothing: every line is written at once."""


class TerminalRenderer:
    """Keeps a status line below the output; the line alone shows uploads and trouble.

    Args:
        render: draws the line.
        write_output: writes to stdout.
    """

    is_live = True

    def __init__(self, render: bottom_line.Render, write_output: Callable[[str], None]) -> None:
        self._stack = ExitStack()
        line = bottom_line.BottomLine(render, write_output)
        self._stack.enter_context(bottom_line.shown(line))
        # Another file or pipe gets the output at once; only on a terminal it has to keep clear of the line.
        self.output = line.write if sys.stdout.isatty() else write_output

    def upload(self, progress: Upload, /) -> None:
        """Do nothing: the line shows it."""

    def trouble(self, text: str, /) -> None:
        """Do nothing: the line shows it."""

    def close(self) -> None:
        """Remove the line."""
        self._stack.close()


def make_renderer(
    status_line: Callable[[], bottom_line.Render], write_output: Callable[[str], None], *, may_be_live: bool
) -> Renderer:
    """Return the renderer that fits stderr.

    Args:
        status_line: makes what draws the status line; called only if there is one.
        write_output: writes to stdout.
        may_be_live: whether a status line is of use.
    """
    is_for_people = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    if may_be_live and is_for_people and not logs.are_json():
        return TerminalRenderer(status_line(), write_output)
    return PlainRenderer(write_output)
