"""The first output of a unit, from the file in which its command runner collects it.

Source: a daemon looks at that file only every 250 ms, the first time 250 ms after it was asked for results. Where we
may read the file ourselves, somebody who waits for the first sign of a job need not wait for that.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Protocol, Self

from receptor_runner.errors import NodeUnavailable

_EARLY_S = 1.5
"""So long somebody waits for the first sign of a job; later a quarter of a second does not matter."""

_POLL_S = 0.02
_CHUNK_SIZE = 256 * 1024


class Results(Protocol):
    """The results of a unit, as the node sends them."""

    def read(self, wait_s: float, /) -> bytes | None:
        """Return the next bytes, b"" at the end, None if nothing arrived in time."""

    def close(self) -> None:
        """Close the connection."""


class EarlyOutput:
    """Results that are read from the file for a while, and then from the node.

    Args:
        descriptor: the file, open for reading; closed at the end.
        open_results: opens the results that the node sends, from a byte offset on.
    """

    def __init__(self, descriptor: int, open_results: Callable[[int], Results]) -> None:
        self._descriptor = descriptor
        self._open_results = open_results
        self._results: Results | None = None
        self._received = 0
        self._until = time.monotonic() + _EARLY_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self._descriptor)
        if self._results:
            self._results.close()

    def read(self, wait_s: float) -> bytes | None:
        """Return the next bytes, b"" at the end, or None if nothing arrived in time.

        Args:
            wait_s: how long to wait.

        Raises:
            Unreachable: the connection to the node broke.
        """
        deadline = time.monotonic() + wait_s
        while self._results is None:
            if data := self._read_file():
                return data
            now = time.monotonic()
            if now >= self._until:
                try:
                    self._results = self._open_results(self._received)
                except NodeUnavailable:
                    return b""  # as when a node closes a connection: whoever reads asks it how the unit is
            elif now >= deadline:
                return None
            else:
                time.sleep(_POLL_S)
        return self._results.read(max(deadline - time.monotonic(), 0))

    def _read_file(self) -> bytes:
        data = os.pread(self._descriptor, _CHUNK_SIZE, self._received)
        self._received += len(data)
        return data
