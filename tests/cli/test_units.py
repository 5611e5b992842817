"""How durations and sizes are written."""

from __future__ import annotations

import pytest
from receptor_runner.cli import units


@pytest.mark.parametrize(
    ("seconds", "text", "clock"),
    [
        (0, "0 s", "0:00"),
        (59.9, "59 s", "0:59"),
        (72, "1 min 12 s", "1:12"),
        (7500, "2 h 5 min", "2:05:00"),
        (3 * 86400 + 4 * 3600, "3 d 4 h", "76:00:00"),
    ],
)
def test_durations(seconds: float, text: str, clock: str) -> None:
    """A duration is written with its two largest units, or as a stopwatch shows it."""
    assert (units.duration(seconds), units.clock(seconds)) == (text, clock)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (300 << 20, "300.0 MiB"), (5 << 30, "5.0 GiB")],
)
def test_sizes(count: int, text: str) -> None:
    """A size is written in the unit that keeps it below 1024."""
    assert units.size(count) == text
