"""Retries as values: one policy, from which tenacity's objects are built.

They wrap single idempotent steps (connect, status, resuming results), never a submit as a whole.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import tenacity

from receptor_runner.errors import Unreachable

log = logging.getLogger("receptor_runner.retry")

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long and how often an idempotent step is tried again.

    Attributes:
        deadline_s: when to give up; 0 tries once.
        first_wait_s: the scale of the first wait; waits grow exponentially, with jitter.
        max_wait_s: the longest wait.
        interrupt: ends a wait at once.
    """

    deadline_s: float = 60.0
    first_wait_s: float = 0.25
    max_wait_s: float = 10.0
    interrupt: threading.Event = field(default_factory=threading.Event, compare=False)

    def call(self, step: Callable[[], Result], what: str) -> Result:
        """Return what `step` returns, trying again while the node is unreachable.

        Args:
            step: an idempotent step.
            what: its name, for the log.

        Raises:
            Unreachable: the last failure, once the deadline has passed or the wait was interrupted.
        """
        return self._retrying(what)(step)

    def _retrying(self, what: str) -> tenacity.Retrying:
        def tell(state: tenacity.RetryCallState) -> None:
            assert state.outcome is not None
            wait_s = state.next_action.sleep if state.next_action else 0
            log.warning("%s failed, next try in %.1f s: %s", what, wait_s, state.outcome.exception())

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Unreachable),
            stop=tenacity.stop_after_delay(self.deadline_s) | tenacity.stop_when_event_set(self.interrupt),
            wait=tenacity.wait_random_exponential(multiplier=self.first_wait_s, max=self.max_wait_s),
            sleep=tenacity.sleep_using_event(self.interrupt),
            before_sleep=tell,
            reraise=True,
        )
