"""Waits until something of a running program arrives: text, events, a report of its end, a request to stop."""

from __future__ import annotations

import select
import time

COLLECT_S = 0.05
"""For how long events are left in their pipe after some were read."""


class Arrivals:
    """Where something can arrive.

    Ansible keeps every processor busy, and each time this process wakes up it takes one from it. So events that follow
    others closely are collected; one that comes after a pause is there at once.

    Args:
        descriptors: are watched all the time.
        events: where events arrive.
    """

    def __init__(self, *descriptors: int, events: int) -> None:
        self._events = events
        self._poll = select.poll()
        for descriptor in (*descriptors, events):
            self._poll.register(descriptor, select.POLLIN)
        self._collects_until: float | None = None

    def wait(self, seconds: float) -> set[int]:
        """Return the descriptors at which something has arrived; none after so many seconds."""
        limit = time.monotonic() + seconds
        ready = self._ready(limit)
        while not ready and time.monotonic() < limit:
            ready = self._ready(limit)
        return ready

    def _ready(self, limit: float) -> set[int]:
        if self._collects_until is not None and time.monotonic() >= self._collects_until:
            self._collects_until = None
            self._poll.register(self._events, select.POLLIN)
        until = limit if self._collects_until is None else min(limit, self._collects_until)
        pause_s = max(until - time.monotonic(), 0)
        return {descriptor for descriptor, _event in self._poll.poll(pause_s * 1000)}

    def collect_events(self) -> None:
        """Leave events where they are for a moment."""
        if self._collects_until is None:
            self._poll.unregister(self._events)
        self._collects_until = time.monotonic() + COLLECT_S

    def ignore(self, descriptor: int) -> None:
        """Watch a descriptor no longer."""
        self._poll.unregister(descriptor)
