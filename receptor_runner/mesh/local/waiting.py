"""Polling for a condition of other processes, which nothing announces."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_S = 0.1


def is_true_within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Poll a condition until it is true; return False if it is not in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_S)
    return True
