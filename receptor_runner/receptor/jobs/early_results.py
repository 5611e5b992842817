"""The first results of a unit, as long as it has not run for long: read over several connections.

Source: for each connection the daemon looks at a unit's output every 250 ms, the first time 250 ms after it was asked
for. The looks of connections that are opened one after the other fall between each other.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Self

from receptor_runner.errors import NodeUnavailable, Unreachable
from receptor_runner.receptor.control.results import Results

_LOOKS_APART_S = 0.25
_EARLY_S = 1.5
"""So long somebody waits for the first sign of a job; later a quarter of a second does not matter."""

_EARLY_SIZE = 1 << 20
"""So many bytes are more than a first sign, and should not come several times."""


class _Look:
    """One connection, and how many bytes of the results have come over it."""

    __slots__ = ("place", "results")

    def __init__(self, results: Results, place: int) -> None:
        self.results = results
        self.place = place


class EarlyResults:
    """Results of which the first ones come sooner; after a while one connection goes on alone.

    Args:
        open_results: opens the results from a byte offset on.
        offset: where they begin.
        connections: how many connections are opened; each takes a descriptor.

    Raises:
        UnknownUnit: the node does not know the unit.
        NodeUnavailable: the node does not answer.
    """

    def __init__(self, open_results: Callable[[int], Results], offset: int, connections: int) -> None:
        now = time.monotonic()
        self._open_results = open_results
        self._offset = self._received = offset
        self._looks = [_Look(open_results(offset), offset)]
        self._due = [now + number * _LOOKS_APART_S / connections for number in range(1, connections)]
        self._alone_at = now + _EARLY_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._keep([])

    def read(self, wait_s: float) -> bytes | None:
        """Return the next bytes, b"" at the end, or None if nothing arrived in time.

        Args:
            wait_s: how long to wait.

        Raises:
            Unreachable: the last connection broke.
        """
        deadline = time.monotonic() + wait_s
        while (now := time.monotonic()) < self._alone_at and self._received < self._offset + _EARLY_SIZE:
            self._open_due(now)
            data = self._next()
            if data is not None or now >= deadline:
                return data
            self._wait(min(deadline, self._alone_at, *self._due[:1]) - now)
        if len(self._looks) > 1:
            self._keep([max(self._looks, key=lambda look: look.place)])
        return self._looks[0].results.read(max(deadline - now, 0))

    def _wait(self, wait_s: float) -> None:
        poll = select.poll()
        for look in self._looks:
            poll.register(look.results, select.POLLIN)
        poll.poll(max(wait_s, 0) * 1000)

    def _open_due(self, now: float) -> None:
        """Open the connections whose time has come; if one cannot be opened, the others do."""
        while self._due and now >= self._due[0]:
            self._due.pop(0)
            try:
                self._looks.append(_Look(self._open_results(self._offset), self._offset))
            except NodeUnavailable:
                self._due.clear()

    def _next(self) -> bytes | None:
        """Return what has arrived first and is new, b"" at the end, or None."""
        for look in list(self._looks):
            data = self._read(look)
            look.place += len(data or b"")
            new = look.place - self._received
            if data and new > 0:
                self._received = look.place
                return data[-new:]
            if data == b"" and (new == 0 or self._looks == [look]):
                return b""
            if data == b"":
                self._drop(look)
        return None

    def _read(self, look: _Look) -> bytes | None:
        """Read what has arrived over a connection; a broken one is dropped if there are others."""
        try:
            return look.results.read(0)
        except Unreachable:
            if self._looks == [look]:
                raise
            self._drop(look)
            return None

    def _drop(self, broken: _Look) -> None:
        self._keep([look for look in self._looks if look is not broken])

    def _keep(self, kept: list[_Look]) -> None:
        for look in self._looks:
            if look not in kept:
                look.results.close()
        self._looks = kept
