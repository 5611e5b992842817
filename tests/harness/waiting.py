"""Waiting for a condition; the only place in the tests that sleeps to poll."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

Found = TypeVar("Found")
POLL_S = 0.02
DEADLINE_S = 30.0


def wait_until(probe: Callable[[], Found | None], what: str, deadline_s: float = DEADLINE_S) -> Found:
    """Poll until the probe returns something true, and return that; fail the test when the deadline has passed.

    Args:
        probe: called until its result is true.
        what: the condition in words, for the failure.
        deadline_s: how long to wait at most.
    """
    end = time.monotonic() + deadline_s
    while not (found := probe()):
        if time.monotonic() > end:
            pytest.fail(f"not within {deadline_s:g} s: {what}")
        time.sleep(POLL_S)
    return found
