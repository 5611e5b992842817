"""Retries as values: one policy, from which tenacity objects are built.

They wrap single idempotent steps (connect, status, resuming results), never a submit as a whole.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import tenacity

from receptor_runner.errors import ConfigError, Unreachable
from receptor_runner.system.cancel import CancelToken, wait_any

log = logging.getLogger("receptor_runner.retry")

DEADLINE_VARIABLE = "RECEPTOR_RUNNER_RETRY_DEADLINE"
MAX_WAIT_VARIABLE = "RECEPTOR_RUNNER_RETRY_MAX_WAIT"
DEFAULT_DEADLINE_S = 60.0
DEFAULT_MAX_WAIT_S = 10.0

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A failed attempt at a step that will be tried again, or the attempt that succeeded after such.

    Attributes:
        what: the step.
        number: which attempt it was; the first is 1.
        deadline_s: for how long the step is tried in all.
        wait_s: seconds until the next attempt.
        error: why it failed; None if it succeeded.
    """

    what: str
    number: int
    deadline_s: float
    wait_s: float = 0.0
    error: BaseException | None = None

    def __str__(self) -> str:
        if self.error is None:
            return f"{self.what} succeeded at attempt {self.number}"
        return f"{self.what} failed, trying again for {self.deadline_s:g} s: {self.error}"


def log_attempt(attempt: Attempt) -> None:
    """Log the first failure and the success that ends it; what is between is no news."""
    if attempt.error is None:
        log.info("%s", attempt)
        return
    if attempt.number == 1:
        log.warning("%s", attempt)
    log.debug(
        "%s: attempt %d failed, next in %.1f s: %s",
        attempt.what,
        attempt.number,
        attempt.wait_s,
        attempt.error,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long and how often an idempotent step is tried again.

    Attributes:
        deadline_s: when to give up; 0 tries once.
        first_wait_s: the scale of the first wait; waits grow exponentially, with jitter.
        max_wait_s: the longest wait.
        report: takes each failed attempt, and the success that follows.
    """

    deadline_s: float = DEFAULT_DEADLINE_S
    first_wait_s: float = 0.25
    max_wait_s: float = DEFAULT_MAX_WAIT_S
    report: Callable[[Attempt], None] = log_attempt

    @classmethod
    def from_environment(
        cls, *, deadline_s: float | None = None, max_wait_s: float | None = None
    ) -> RetryPolicy:
        """Return a policy whose times are those given, else those of the environment, else the defaults.

        Args:
            deadline_s: when to give up.
            max_wait_s: the longest wait.

        Raises:
            ConfigError: a variable is not a number of seconds.
        """
        return cls(
            deadline_s=_chosen(deadline_s, DEADLINE_VARIABLE, DEFAULT_DEADLINE_S),
            max_wait_s=_chosen(max_wait_s, MAX_WAIT_VARIABLE, DEFAULT_MAX_WAIT_S),
        )

    def at_most(self, deadline_s: float) -> RetryPolicy:
        """Return this policy with a deadline of at most `deadline_s`."""
        return replace(self, deadline_s=min(self.deadline_s, deadline_s))

    def call(self, step: Callable[[], Result], what: str, *cancels: CancelToken) -> Result:
        """Return what `step` returns, trying again while the node is unreachable.

        Args:
            step: an idempotent step.
            what: its name, for the log.
            cancels: any of them ends the wait at once; one last try follows.

        Raises:
            Unreachable: the last failure, once the deadline has passed or one of `cancels` was requested.
        """
        retrying = self._retrying(what, cancels)
        result = retrying(step)
        attempts = retrying.statistics.get("attempt_number", 1)
        if attempts > 1:
            self.report(Attempt(what=what, number=attempts, deadline_s=self.deadline_s))
        return result

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """Return the next wait; the last one ends at the deadline."""
        usual = tenacity.wait_random_exponential(multiplier=self.first_wait_s, max=self.max_wait_s)
        left = self.deadline_s - (state.seconds_since_start or 0)
        return max(min(usual(state), left), 0)

    def _retrying(self, what: str, cancels: Sequence[CancelToken]) -> tenacity.Retrying:
        def report(state: tenacity.RetryCallState) -> None:
            assert state.outcome is not None
            attempt = Attempt(
                what=what,
                number=state.attempt_number,
                deadline_s=self.deadline_s,
                wait_s=state.next_action.sleep if state.next_action else 0,
                error=state.outcome.exception(),
            )
            self.report(attempt)

        timed_out = tenacity.stop_after_delay(self.deadline_s)

        def sleep(seconds: float) -> None:
            wait_any(cancels, seconds)

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Unreachable),
            stop=lambda state: timed_out(state) or any(cancel.requested for cancel in cancels),
            wait=self._wait,
            sleep=sleep,
            before_sleep=report,
            reraise=True,
        )


def _chosen(given: float | None, variable: str, default: float) -> float:
    text = os.environ.get(variable)
    if given is not None or not text:
        return default if given is None else given
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise ConfigError(f"invalid {variable} `{text}`", cause="it must be a number of seconds")
    return seconds
