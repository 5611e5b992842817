"""How durations and sizes are written."""

from __future__ import annotations

import pytest
from receptor_runner.cli import units


@pytest.mark.parametrize(
    ("seconds", "text", "compact", "clock"),
    [
        (0, "0 s", "0s", "0:00"),
        (59.9, "59 s", "59s", "0:59"),
        (72, "1 min 12 s", "1m12s", "1:12"),
        (7500, "2 h 5 min", "2h05m", "2:05:00"),
        (3 * 86400 + 4 * 3600, "3 d 4 h", "3d4h", "76:00:00"),
        (210 * 86400, "210 d 0 h", "210d", "5040:00:00"),
    ],
)
def test_durations(seconds: float, text: str, compact: str, clock: str) -> None:
    """A duration is written with its two largest units, in few columns, or as a stopwatch shows it."""
    assert (units.duration(seconds), units.compact(seconds), units.clock(seconds)) == (text, compact, clock)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (300 << 20, "300.0 MiB"), (5 << 30, "5.0 GiB")],
)
def test_sizes(count: int, text: str) -> None:
    """A size is written in the unit that keeps it below 1024."""
    assert units.size(count) == text


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ((1, 0, 0), "1 host"),
        ((3, None, None), "3 hosts"),
        ((3, 2, 0), "3 hosts, 2 changed"),
        ((3, 1, 1), "3 hosts, 1 changed, 1 failed"),
    ],
)
def test_hosts(counts: tuple[int, int | None, int | None], text: str) -> None:
    """Only what there is on hosts is named."""
    assert units.hosts(*counts) == text
