"""Retry policies as values."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest
from receptor_runner.errors import ConfigError, Rejected, Unreachable
from receptor_runner.receptor.control.retry import RetryPolicy
from receptor_runner.system.cancel import CancelToken
from tests.receptor.conftest import HandlerRan, LateSignal


class Flaky:
    """A step that fails some times before it succeeds."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures = failures
        self.error = error
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return "done"


def test_what_may_pass_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """An unreachable node is asked again until it answers; one warning says why, one line that it is over."""
    step = Flaky(3, Unreachable("the node is away"))
    with caplog.at_level(logging.DEBUG, "receptor_runner.retry"):
        assert RetryPolicy(first_wait_s=0.001).call(step, "asking") == "done"
    assert step.calls == 4
    warnings = [entry.getMessage() for entry in caplog.records if entry.levelno == logging.WARNING]
    assert warnings == ["asking failed, trying again for 60 s: the node is away"]
    told = [entry.getMessage() for entry in caplog.records if entry.levelno == logging.INFO]
    assert told == ["asking succeeded at attempt 4"]


def test_a_caller_can_take_the_reports() -> None:
    """Each failed attempt, and the success that ends them, goes to the policy's report; a first success does not."""
    seen: list[tuple[int, str]] = []
    policy = RetryPolicy(
        first_wait_s=0.001, report=lambda attempt: seen.append((attempt.number, str(attempt.error)))
    )
    policy.call(Flaky(2, Unreachable("away")), "asking")
    policy.call(Flaky(0, Unreachable("away")), "asking")
    assert seen == [(1, "away"), (2, "away"), (3, "None")]


def test_what_cannot_pass_is_not_tried_again() -> None:
    """A refusal is final."""
    step = Flaky(1, Rejected("no"))
    with pytest.raises(Rejected):
        RetryPolicy(first_wait_s=0.001).call(step, "asking")
    assert step.calls == 1


def test_the_deadline_ends_it_with_the_last_error() -> None:
    """When the deadline has passed, the caller gets the real error."""
    step = Flaky(10_000, Unreachable("away"))
    with pytest.raises(Unreachable, match="away"):
        RetryPolicy(deadline_s=0.1, first_wait_s=0.001, max_wait_s=0.01).call(step, "asking")
    assert step.calls > 1


def test_a_signal_is_heard_while_it_waits(late_signal: Callable[[], LateSignal]) -> None:
    """A signal that comes just before a long wait begins ends it soon."""
    policy = RetryPolicy(deadline_s=600, first_wait_s=300, max_wait_s=300)
    with late_signal(), pytest.raises(HandlerRan):
        policy.call(Flaky(10_000, Unreachable("away")), "asking")


def test_the_last_wait_ends_at_the_deadline(caplog: pytest.LogCaptureFixture) -> None:
    """However long a wait would be, it is cut to the time that is left, and a last try is made then."""
    step = Flaky(10_000, Unreachable("away"))
    with caplog.at_level(logging.DEBUG, "receptor_runner.retry"), pytest.raises(Unreachable):
        RetryPolicy(deadline_s=0.3, first_wait_s=300, max_wait_s=300).call(step, "asking")
    details = [entry.getMessage() for entry in caplog.records if entry.levelno == logging.DEBUG]
    waits = [float(detail.split("next in ")[1].split()[0]) for detail in details]
    assert sum(waits) <= 0.4
    assert step.calls == len(waits) + 1 >= 2


def test_no_deadline_tries_once() -> None:
    """A deadline of nothing means one try."""
    step = Flaky(1, Unreachable("away"))
    with pytest.raises(Unreachable):
        RetryPolicy(deadline_s=0).call(step, "asking")
    assert step.calls == 1


def test_a_cancel_ends_the_wait_at_once() -> None:
    """A long wait ends when the cancel is requested; one last try follows."""
    cancel = CancelToken()
    policy = RetryPolicy(deadline_s=600, first_wait_s=300, max_wait_s=300)
    step = Flaky(10, Unreachable("away"))
    threading.Timer(0.1, cancel.request).start()
    began = time.monotonic()
    with pytest.raises(Unreachable):
        policy.call(step, "asking", cancel)
    assert time.monotonic() - began < 60
    assert step.calls == 2


def test_the_environment_sets_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times come from the call, else from the environment, else they are the usual ones; nonsense is told."""
    monkeypatch.setenv("RECEPTOR_RUNNER_RETRY_DEADLINE", "5")
    assert RetryPolicy.from_environment().deadline_s == 5
    assert RetryPolicy.from_environment(deadline_s=7).deadline_s == 7
    assert RetryPolicy.from_environment().max_wait_s == RetryPolicy().max_wait_s
    for text in ("soon", "nan", "-1"):
        monkeypatch.setenv("RECEPTOR_RUNNER_RETRY_MAX_WAIT", text)
        with pytest.raises(ConfigError, match=text):
            RetryPolicy.from_environment()
