"""The channel on which the callback plugin sends events: lines of JSON through a pipe."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from typing import Any

VARIABLE = "RECEPTOR_RUNNER_EVENTS"
DESCRIPTOR = 3
"""The number that the channel's writing end has in the job's process."""

_CHUNK = 1 << 20


class EventChannel:
    """A pipe whose reading end is ours; it is never read to its end, which a stray process may hold open."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        with contextlib.suppress(OSError):  # a bigger pipe only saves wake-ups
            fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, _CHUNK)
        self._parts: list[bytes] = []

    def read(self) -> list[dict[str, Any]]:
        """Return the messages that are complete now, of one chunk at most."""
        return [json.loads(line) for line in self._lines(self._available()) if line]

    def drain(self) -> Iterator[dict[str, Any]]:
        """Yield the messages until the pipe is empty, whether or not somebody still has it open."""
        while data := self._available():
            yield from (json.loads(line) for line in self._lines(data) if line)

    def _lines(self, data: bytes) -> Iterator[bytes]:
        if b"\n" not in data:
            self._parts.append(data)
            return
        *lines, rest = b"".join([*self._parts, data]).split(b"\n")
        self._parts = [rest]
        yield from lines

    def _available(self) -> bytes:
        with contextlib.suppress(BlockingIOError):
            return os.read(self.reader, _CHUNK)
        return b""

    def close(self) -> None:
        """Give the descriptors back."""
        os.close(self.reader)
        os.close(self.writer)
