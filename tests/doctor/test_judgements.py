"""What is enough space, which limits are too low, which clocks differ, which certificates end soon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from receptor_runner.doctor.certificate_dates import judge_ends
from receptor_runner.doctor.clock import judge_advertisement, judge_clock
from receptor_runner.doctor.limits import judge_inotify, judge_space
from receptor_runner.doctor.verdict import State
from receptor_runner.receptor_config.certificate_ends import CertificateEnd

GIB = 2**30
NOW = datetime(2026, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("free", "state", "word"),
    [
        ({"/a": 5 * GIB, "/b": 2 * GIB}, State.OK, "5.0 GiB free in /a"),
        ({"/a": 5 * GIB, "/b": GIB // 2}, State.WARNING, "512 MiB free in /b"),
        ({"/a": 0, "/b": 2 * GIB}, State.FAILED, "0 MiB free in /a"),
        ({"/a": None}, State.SKIPPED, "not known"),
    ],
)
def test_space(free: dict[str, int | None], state: State, word: str) -> None:
    """The fullest place decides, and is named."""
    verdict = judge_space(free)
    assert verdict.state is state
    assert word in verdict.summary


@pytest.mark.parametrize(
    ("limits", "state", "word"),
    [
        ({"max_user_instances": 1024, "max_user_watches": 65536}, State.OK, "1024"),
        ({"max_user_instances": 128, "max_user_watches": 65536}, State.WARNING, "max_user_instances is 128"),
        ({"max_user_instances": 1024, "max_user_watches": 100}, State.WARNING, "max_user_watches is 100"),
        ({}, State.SKIPPED, "not known"),
    ],
)
def test_inotify(limits: dict[str, int], state: State, word: str) -> None:
    """A limit that is too low is named, with the command that raises it."""
    verdict = judge_inotify(limits)
    assert verdict.state is state
    assert word in verdict.summary
    if state is State.WARNING:
        assert "sysctl -w fs.inotify.max_user_" in (verdict.hint or "")


@pytest.mark.parametrize(
    ("moment", "expiration", "state", "word"),
    [
        (101.0, None, State.OK, "within 3.0 s"),
        (104.0, None, State.OK, "same"),
        (163.0, None, State.WARNING, "60 s ahead"),
        (40.0, None, State.WARNING, "60 s behind"),
        (163.0, "10m", State.WARNING, "60 s ahead"),
        (163.0, "30s", State.FAILED, "signatures are valid for 30s"),
        (40.0, "30s", State.WARNING, "60 s behind"),
    ],
)
def test_clocks(moment: float, expiration: str | None, state: State, word: str) -> None:
    """Only what lies outside of the wait is a difference; one that outlasts our signatures is a failure."""
    verdict = judge_clock(moment, 100.0, 103.0, expiration)
    assert verdict.state is state
    assert word in verdict.summary


@pytest.mark.parametrize(
    ("ahead_s", "state"), [(-50.0, State.SKIPPED), (2.0, State.SKIPPED), (90.0, State.WARNING)]
)
def test_advertisements(ahead_s: float, state: State) -> None:
    """An advertisement may be old, but never from the future."""
    seen = (NOW + timedelta(seconds=ahead_s)).isoformat()
    assert judge_advertisement(seen, NOW.timestamp()).state is state


@pytest.mark.parametrize("seen", [None, "nonsense"])
def test_no_advertisement(seen: str | None) -> None:
    """Without a time nothing is judged."""
    assert judge_advertisement(seen, NOW.timestamp()).state is State.SKIPPED


@pytest.mark.parametrize(
    ("days", "state", "word"),
    [
        (90, State.OK, "in 90 days"),
        (10, State.WARNING, "in 10 days"),
        (-1, State.FAILED, "expired on 2026-01-09"),
    ],
)
def test_certificates(days: int, state: State, word: str) -> None:
    """The certificate that ends first decides; each is among the facts with its days."""
    ends = [
        CertificateEnd(path=Path(f"{left}.crt"), not_after=NOW + timedelta(days=left)) for left in (days, 200)
    ]
    verdict = judge_ends(ends, "receptor.yml", NOW)
    assert verdict.state is state
    assert word in verdict.summary
    assert [entry["days_left"] for entry in verdict.facts["certificates"]] == [days, 200]
