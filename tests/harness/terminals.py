"""A command in a real pseudo-terminal, and the screen that a person would see."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

from tests.harness.waiting import wait_until


class PseudoTerminal:
    """A terminal in which one command runs as the foreground job.

    Args:
        words: the command.
        environment: its environment.
        cwd: its directory.
        columns: the width of the terminal.
        rows: its height.
        stdout: where stdout goes instead of the terminal.
    """

    def __init__(
        self,
        *words: str | Path,
        environment: dict[str, str],
        cwd: Path,
        columns: int = 80,
        rows: int = 60,
        stdout: Path | None = None,
    ) -> None:
        self.raw = b""
        self.frames: list[list[str]] = []
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        file = os.open(stdout, os.O_WRONLY | os.O_CREAT, 0o600) if stdout else os.dup(slave)
        self.process = subprocess.Popen(
            [str(word) for word in words],
            stdin=slave,
            stdout=file,
            stderr=slave,
            cwd=cwd,
            env=environment | {"TERM": "xterm-256color"},
            preexec_fn=_take_terminal,  # noqa: PLW1509 - the process has to own the terminal, or Ctrl-C reaches nobody
        )
        os.close(slave)
        os.close(file)
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self._reader.join()
        os.close(self._master)

    def _read(self) -> None:
        while True:
            select.select([self._master], [], [], 0.2)
            try:
                data = os.read(self._master, 1 << 16)
            except OSError:  # EIO: nobody holds the other end any more
                return
            with self._lock:
                self.raw += data
                self._stream.feed(data)
                self.frames.append(self._lines())

    def _lines(self) -> list[str]:
        lines = [line.rstrip() for line in self._screen.display]
        return [line for line in lines if line]

    @property
    def lines(self) -> list[str]:
        """The lines on the screen that are not empty."""
        with self._lock:
            return self._lines()

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(self.lines)

    def has_shown(self, text: str) -> bool:
        """Return whether a text has been in one line of the screen at any time."""
        with self._lock:
            return any(text in line for frame in self.frames for line in frame)

    def await_shown(self, text: str) -> None:
        """Wait until a text has been on the screen."""
        wait_until(lambda: self.has_shown(text), f"{text!r} on the terminal, which shows:\n{self.text}")

    def await_last_line(self, text: str) -> str:
        """Wait until the last line holds a text; return the line."""
        return wait_until(
            lambda: line if (line := (self.lines or [""])[-1]) and text in line else None,
            f"{text!r} in the last line",
        )

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._master, keys)

    def resize(self, columns: int, rows: int = 60) -> None:
        """Make the terminal wider or narrower."""
        with self._lock:
            self._screen.resize(rows, columns)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def finish(self, timeout_s: float = 60.0) -> int:
        """Wait for the command's end, and for its last output; return its exit code."""
        rc = self.process.wait(timeout_s)
        self._reader.join(10)
        return rc


def _take_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
