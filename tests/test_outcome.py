"""How a job ends, as an exit code."""

from __future__ import annotations

import pytest
from receptor_runner.outcome import Outcome, Status


@pytest.mark.parametrize(
    ("status", "rc", "code"),
    [
        ("successful", 0, 0),
        ("successful", None, 0),
        ("failed", 2, 2),
        ("failed", 4, 4),
        ("failed", None, 1),
        ("failed", 0, 1),
        ("failed", 137, 137),
        ("failed", -9, 137),
        ("failed", 256, 255),
        ("failed", 10**9, 255),
        ("failed", -(10**9), 255),
        ("timeout", 254, 254),
        ("timeout", None, 254),
        ("canceled", None, 254),
        ("canceled", 0, 254),
        ("error", None, 76),
        ("lost", None, 75),
    ],
)
def test_the_exit_code_tells_the_truth(status: str, rc: int | None, code: int) -> None:
    """A verdict gives the job's own return code, never 0 for what did not succeed, and never more than 255."""
    assert Outcome(status=Status(status), rc=rc).exit_code == code


def test_only_four_statuses_are_verdicts() -> None:
    """An error of the worker and a lost job say nothing about the job itself."""
    verdicts = [status for status in Status if Outcome(status=status).is_verdict]
    assert verdicts == [Status.SUCCESSFUL, Status.FAILED, Status.TIMEOUT, Status.CANCELED]
