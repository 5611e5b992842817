"""Following one unit until its end is beyond doubt."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from receptor_runner.errors import ContactLost, NeverStarted, UnknownUnit, Unreachable
from receptor_runner.outcome import Outcome, Status
from receptor_runner.process import Processor
from receptor_runner.receptor.control.retry import RetryPolicy
from receptor_runner.receptor.control.unit import UnitState, UnitStatus
from receptor_runner.receptor.jobs.cancel_thread import CancelableUnit, CancelThread
from receptor_runner.receptor.jobs.follow_policy import FollowPolicy
from receptor_runner.receptor.jobs.liveness import Evidence, Liveness
from receptor_runner.receptor.jobs.verdict import (
    ReadableUnit,
    ResultsReader,
    explained,
    final_state,
    hint_of,
    incomplete,
)
from receptor_runner.system.cancel import CancelToken

Result = TypeVar("Result")

START_POLL_S = 0.03


class FollowedUnit(ReadableUnit, CancelableUnit, Protocol):
    """What following needs of a unit."""

    def canceled_by(self) -> str | None:
        """Return who canceled it with this tool, None if nobody did."""

    def discard(self, *, force: bool) -> bool:
        """Release it; log a failure; return whether it is gone."""

    def interrupt_abandoned_worker(self, status: UnitStatus, /) -> None:
        """Interrupt its worker if the command runner is dead."""

    def runner_lives(self, pid: int, /) -> bool | None:
        """Return whether a command runner's process is alive; None if that cannot be seen."""

    def is_routed(self, node: str, /) -> bool:
        """Return whether the local node has a route to a node."""


class Follower:
    """Follows one unit until its end is beyond doubt.

    A results stream that closes says nothing: it closes the same way when the job ends, when the node dies and when the
    unit is released. So the bytes that arrived are compared with the unit's status, and where bytes are missing
    reading resumes at the offset.

    Args:
        unit: the unit.
        processor: takes the results; it may have taken some of them already.
        policy: timeouts.
        retry: how a lost connection is retried.
        cancel: once requested, the unit is canceled and its remaining output awaited.
        detach: once requested, the following ends and the unit goes on.
        on_progress: called after every piece and at least twice a second.
        on_trouble: called with what keeps results from arriving, and with "" once they may arrive again.
    """

    def __init__(
        self,
        unit: FollowedUnit,
        processor: Processor,
        *,
        policy: FollowPolicy,
        retry: RetryPolicy,
        cancel: CancelToken,
        detach: CancelToken,
        on_progress: Callable[[], None],
        on_trouble: Callable[[str], None] = lambda _trouble: None,
    ) -> None:
        self._unit = unit
        self._processor = processor
        self._policy = policy
        self._retry = retry
        self._cancel = cancel
        self._detach = detach
        self._on_progress = on_progress
        self._on_trouble = on_trouble
        self._received_at = self._asked_at = self._started_at = time.monotonic()
        self._liveness = Liveness(policy, runner_lives=unit.runner_lives, is_routed=unit.is_routed)
        self._cancel_thread = CancelThread(unit, retry, detach)
        self._unknown_since: float | None = None

    def follow(self) -> Outcome:
        """Return how the job ended.

        Raises:
            StreamError: the unit ended but its stream is broken or incomplete.
            NeverStarted: nothing of it ran; the unit is removed.
            ContactLost: the following was detached, or waiting took too long; the job goes on.
            Unreachable: the node stays away longer than the retry policy allows.
        """
        while True:
            ended = self._follow_connection()
            if ended is not None:
                return ended

    def _follow_connection(self) -> Outcome | None:
        """Read the results of one connection; return the outcome if that settles it."""
        if self._processor.ended:
            return self._finished()
        try:
            results = self._retried(self._open, f"resuming the results of unit {self._unit.unit_id}")
        except UnknownUnit:
            return self._unknown()
        with results, contextlib.suppress(Unreachable):
            return self._read(results)
        return None

    def _retried(self, step: Callable[[], Result], what: str) -> Result:
        """Retry a step; a cancel or a detach ends the wait for a node that does not answer."""
        return self._retry.call(step, what, self._cancel, self._detach)

    def _open(self) -> ResultsReader:
        if not self._processor.received:
            self._await_output()
        return self._unit.results(self._processor.received)

    def _await_output(self) -> None:
        """Give the unit a moment to start, so that the file with its output exists.

        Source: the daemon looks for that file when results are asked for, and then only twice a second. The command
        runner creates it before it reports that the unit runs.
        """
        deadline = time.monotonic() + self._policy.start_grace_s
        while time.monotonic() < deadline and self._unit.status().state is UnitState.PENDING:
            if self._cancel.requested or self._detach.wait(START_POLL_S):
                return

    def _read(self, results: ResultsReader) -> Outcome | None:
        while True:
            data = results.read(self._policy.poll_s)
            self._heed_requests()
            if data:
                self._received(data)
            if self._processor.ended:
                return self._finished()
            if data == b"":
                return self._after_close()
            if data is None and (ended := self._after_silence()):
                return ended

    def _received(self, data: bytes) -> None:
        self._received_at = time.monotonic()
        self._on_trouble("")
        self._processor.feed(data)
        self._on_progress()

    def _finished(self) -> Outcome:
        """Return the stream's own verdict; a cancel that this process did not request names who did."""
        outcome = self._processor.finish()
        if outcome.status is not Status.CANCELED or self._cancel.requested or outcome.explanation:
            return outcome
        who = self._unit.canceled_by()
        if who is None:
            who = f"another client (unit {self._unit.unit_id}: {final_state(self._unit)})"
        return dataclasses.replace(outcome, explanation=f"by {who}")

    def _heed_requests(self) -> None:
        if self._cancel.requested:
            self._cancel_thread.start()
        if self._detach.requested:
            raise self._detached()
        limit_s = self._policy.wait_timeout_s
        if limit_s is not None and time.monotonic() - self._started_at > limit_s:
            raise ContactLost(f"the job did not end within {limit_s:g} s; it goes on")

    def _detached(self) -> ContactLost:
        if not self._cancel_thread.started:
            return ContactLost("detached; the job goes on")
        # The process may end right after this: a cancel that was requested leaves first.
        self._cancel_thread.await_sent()
        return ContactLost("detached; the job is being canceled")

    def _after_close(self) -> Outcome | None:
        """Decide, after the node closed the stream, whether that was all or only all for now."""
        try:
            status = self._retried(self._ask, f"asking for the status of unit {self._unit.unit_id}")
        except UnknownUnit:
            return self._unknown()
        if ended := self._judge(status):
            return ended
        if status.state.is_complete and self._processor.received >= status.stdout_size:
            return incomplete(self._unit, self._processor, status)
        self._detach.wait(self._policy.poll_s)
        return None

    def _after_silence(self) -> Outcome | None:
        """Ask, from time to time, for the status of a unit of which nothing arrives."""
        self._on_progress()
        now = time.monotonic()
        if now - max(self._asked_at, self._received_at) < self._policy.status_interval_s:
            return None
        self._check_contact(now)
        try:
            return self._judge(self._ask())
        except UnknownUnit:
            return self._unknown()

    def _check_contact(self, now: float) -> None:
        limit_s = self._policy.contact_timeout_s
        # Only a worker that sends keepalives can be told from one that has nothing to say.
        if limit_s is not None and self._processor.keepalives and now - self._received_at > limit_s:
            raise ContactLost(f"nothing arrived for {limit_s:g} s although the worker sends keepalives")

    def _ask(self) -> UnitStatus:
        self._asked_at = time.monotonic()
        status = self._unit.status()
        self._unknown_since = None
        return status

    def _judge(self, status: UnitStatus) -> Outcome | None:
        """Return the outcome if the unit is over although its stream is not."""
        now = time.monotonic()
        silent_s = now - self._received_at
        seen = Evidence(status=status, received=self._processor.received, silent_s=silent_s, now=now)
        ended = self._liveness.judge(seen)
        self._on_trouble(self._liveness.trouble)
        if ended is None:
            return None
        if ended.status is Status.ERROR:
            # What counts as never started must not start later: the daemon goes on trying unless it is released.
            if not self._unit.discard(force=True) and not status.state.is_final:
                raise ContactLost(
                    "the job has not started, and could not be taken back", cause=ended.explanation
                )
            raise NeverStarted("the job never started", cause=ended.explanation, hint=hint_of(status))
        self._unit.interrupt_abandoned_worker(status)
        return explained(self._unit, self._processor, ended)

    def _unknown(self) -> Outcome | None:
        """Return that the unit is lost once its node has not known it for a while.

        Source: a daemon that has just started may answer before it has found its units.
        """
        now = time.monotonic()
        self._unknown_since = self._unknown_since or now
        if now - self._unknown_since < self._policy.unknown_grace_s:
            self._detach.wait(self._policy.poll_s)
            return None
        lost = Outcome(status=Status.LOST, explanation="its node does not know it any more")
        return explained(self._unit, self._processor, lost)
