"""The worker's end of the channel for events: lines of JSON through a pipe."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, Self

from receptor_runner.execution.terminal import Terminal, reads_terminal

VARIABLE = "RECEPTOR_RUNNER_EVENTS"
DESCRIPTOR = 3
"""The number that the channel's writing end has in the job's process."""

_CHUNK = 1 << 20
_FEW_BYTES = 64 * 1024


class EventChannel:
    """A pipe whose reading end is ours; it is never read to its end, which a stray process may hold open.

    Args:
        reader: the reading end; it must not block.
        writer: the writing end, which the job inherits.
    """

    def __init__(self, reader: int, writer: int) -> None:
        self.reader = reader
        self.writer = writer
        with contextlib.suppress(OSError):  # a bigger pipe only saves wake-ups
            fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, _CHUNK)
        self._parts: list[bytes] = []
        self._last_size = 0

    @classmethod
    def inherited(cls) -> Self:
        """Return a channel whose writing end the job inherits."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        return cls(reader, writer)

    @property
    def descriptors(self) -> Mapping[int, int]:
        """What the job inherits, by the number it has there."""
        return {DESCRIPTOR: self.writer}

    @property
    def may_wait(self) -> bool:
        """Whether what comes next need not be read at once: no message is half read, and the pipe is far from full."""
        return self._last_size < _FEW_BYTES and not any(self._parts)

    def read_with_text(self, terminal: Terminal) -> tuple[list[dict[str, Any]], str]:
        """Return the messages that are complete now, and the text that was written before them.

        Events first, then the terminal: what was written before an event is then there to be read before it.
        """
        messages = self.read()
        return messages, terminal.read() if messages else ""

    def reads_keys(self, terminal: Terminal) -> bool:
        """Whether the job takes each key by itself, as ansible's `pause` does, rather than whole lines."""
        return terminal.reads_keys

    def awaits_input(self, terminal: Terminal, ancestor: int) -> bool:
        """Whether a process of the job, below `ancestor`, is blocked in reading the terminal."""
        return reads_terminal(ancestor, terminal.name)

    def read(self) -> list[dict[str, Any]]:
        """Return the messages that are complete, from at most one read."""
        data = self._available()
        self._last_size = len(data)
        return [json.loads(line) for line in self._lines(data) if line]

    def drain(self) -> Iterator[dict[str, Any]]:
        """Yield messages until the pipe is empty, even if another process still has it open."""
        while data := self._available():
            yield from (json.loads(line) for line in self._lines(data) if line)

    def _lines(self, data: bytes) -> list[str]:
        if b"\n" not in data:
            self._parts.append(data)
            return []
        *lines, rest = b"".join([*self._parts, data]).split(b"\n")
        self._parts = [rest]
        return [line.decode() for line in lines]

    def _available(self) -> bytes:
        with contextlib.suppress(BlockingIOError):
            return os.read(self.reader, _CHUNK)
        return b""

    def close(self) -> None:
        """Close the descriptors."""
        os.close(self.reader)
        os.close(self.writer)
