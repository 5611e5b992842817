"""Which slice runs where next: a lane takes one slice at a time, and one that could not start goes to another lane."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence


class SliceQueue:
    """Hands out slices to lanes, which are threads.

    A lane waits as long as any slice is open: one that cannot start elsewhere may still come back.

    Args:
        waiting: the slices that wait, in order.
        started: how many slices lanes have already.
        lanes: how many lanes there are.
    """

    def __init__(self, waiting: Sequence[int], started: int, lanes: int) -> None:
        self._waiting = deque(waiting)
        self._open = len(waiting) + started
        self._lanes = lanes
        self._is_closed = False
        self._changed = threading.Condition()

    def take(self) -> int | None:
        """Return the next slice for a lane; wait for one that may come back; None once none is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed or not self._open)
            return self._waiting.popleft() if self._waiting else None

    def close(self) -> None:
        """Hand out nothing any more, and let no lane wait."""
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def settle(self) -> None:
        """Take note that a slice which was handed out has ended."""
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def give_back(self, number: int, announce: Callable[[], None] = lambda: None) -> bool:
        """Give back a slice that could not start, and the lane with it; return False if no other lane is left.

        Args:
            number: the slice.
            announce: called before another lane can take it.
        """
        with self._changed:
            self._lanes -= 1
            if not self._lanes:
                return False
            announce()
            self._waiting.appendleft(number)
            self._changed.notify_all()
            return True

    def drain(self) -> list[int]:
        """Return the slices that wait, which no lane gets any more."""
        with self._changed:
            left = list(self._waiting)
            self._waiting.clear()
            self._open -= len(left)
            self._changed.notify_all()
            return left
