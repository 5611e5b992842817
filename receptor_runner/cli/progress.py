"""The progress of an upload."""

from __future__ import annotations

import contextlib
import sys
import time

import click

from receptor_runner.cli import logs

_PAUSE_S = 0.2


class UploadProgress:
    """A line on a terminal with the progress of an upload, once it takes longer than a second."""

    def __init__(self) -> None:
        self._began = self._shown_at = time.monotonic()
        self._is_shown = False
        self._is_on_terminal = sys.stderr.isatty() and not logs.are_json()

    def update(self, sent: int, size: int) -> None:
        """Take how many bytes of how many are sent."""
        now = time.monotonic()
        if sent >= size:
            self._clear()
        elif self._is_on_terminal and now - self._began > 1 and now - self._shown_at > _PAUSE_S:
            self._shown_at, self._is_shown = now, True
            share, mib = 100 * sent // size, 1 << 20
            _write(f"\rsent {sent // mib} of {size // mib} MiB ({share} %)")

    def _clear(self) -> None:
        if self._is_shown:
            _write("\r\x1b[K")
            self._is_shown = False


def _write(text: str) -> None:
    with contextlib.suppress(OSError):
        click.echo(text, err=True, nl=False)
