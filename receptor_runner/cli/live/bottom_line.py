"""A line at the bottom of the terminal that stays below everything else that is written there."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

from receptor_runner.cli import output

log = logging.getLogger("receptor_runner.display")

REPAINT_S = 0.1
"""The line and the output above it are written at most this often: ten times a second."""

_MOST_PENDING = 64 * 1024

_NOTHING = ("", 0)

Render = Callable[[int], tuple[str, int]]
"""Takes the terminal's width; returns the line, with its color codes, and how many columns it takes."""


class BottomLine:
    """Keeps one line on the terminal behind stderr, below stdout if that is the same terminal.

    Output is collected between two paintings, so that a job with thousands of events costs ten writes a second. A
    terminal that fails ends the painting, never the job.

    Args:
        render: makes the line.
        write_output: writes to stdout.
    """

    def __init__(self, render: Render, write_output: Callable[[str], None]) -> None:
        self._render = render
        self._write_output = write_output
        # Reentrant: a signal handler writes notes, and it runs in a thread that may be painting.
        self._lock = threading.RLock()
        self._pending: list[str] = []
        self._pending_size = 0
        self._painted_at = 0.0
        self._shown = _NOTHING
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._repaint, name="status-line", daemon=True)
        self._thread.start()

    def write(self, text: str) -> None:
        """Write output above the line, now or with the next painting."""
        with self._lock:
            self._pending.append(text)
            self._pending_size += len(text)
            if self._pending_size > _MOST_PENDING or time.monotonic() - self._painted_at >= REPAINT_S:
                self._paint()

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Take the line away while somebody else writes to the terminal."""
        with self._lock:
            self._flush()
            try:
                yield
            finally:
                if not self._closing.is_set():
                    self._paint()

    def close(self) -> None:
        """Write out what is pending and remove the line."""
        self._closing.set()
        self._thread.join()
        with self._lock:
            self._flush()

    def _repaint(self) -> None:
        while not self._closing.wait(REPAINT_S):
            with self._lock:
                self._paint()

    def _paint(self) -> None:
        self._painted_at = time.monotonic()
        line = self._rendered()
        if line == self._shown and not self._pending:
            return
        self._flush()
        _write(line[0])
        self._shown = line

    def _rendered(self) -> tuple[str, int]:
        try:
            return self._render(_width())
        except Exception:
            log.debug("the status line cannot be shown", exc_info=True)
            # A display that fails must neither touch the job nor fail again.
            self._render = lambda _width: _NOTHING
            return _NOTHING

    def _flush(self) -> None:
        if self._shown[1]:
            # A terminal that became narrower has wrapped the line: all of its rows go.
            rows = max(self._shown[1] - 1, 0) // _width()
            _write("\r" + (f"\x1b[{rows}A" if rows else "") + "\x1b[J")
            self._shown = _NOTHING
        text, self._pending, self._pending_size = "".join(self._pending), [], 0
        if text:
            self._write_output(text)


def _width() -> int:
    try:
        return os.get_terminal_size(2).columns or 80
    except OSError:
        return 80


def _write(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        output.give_up_stderr()


_current: BottomLine | None = None


@contextlib.contextmanager
def shown(line: BottomLine) -> Iterator[BottomLine]:
    """Let notes and log lines move a line aside, and close it at the end."""
    global _current  # noqa: PLW0603 - there is one terminal
    _current = line
    try:
        yield line
    finally:
        _current = None
        line.close()


@contextlib.contextmanager
def moved_aside() -> Iterator[None]:
    """Take the line away, if one is shown, while a note or log line is written."""
    if _current is None:
        yield
        return
    with _current.aside():
        yield
