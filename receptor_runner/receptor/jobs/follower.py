"""The life of a work unit as seen from here: submitted, followed to its true end, canceled, released."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from receptor_runner.errors import (
    ContactLost,
    NeverStarted,
    NodeUnavailable,
    Rejected,
    StreamError,
    UnknownUnit,
    Unreachable,
)
from receptor_runner.outcome import Outcome, Status
from receptor_runner.process import Processor
from receptor_runner.receptor.control.protocol import Control, Submission
from receptor_runner.receptor.control.results import Results
from receptor_runner.receptor.control.unit import UnitState, UnitStatus, WorkOrder
from receptor_runner.receptor.jobs.liveness import Evidence, FollowPolicy, Watch
from receptor_runner.receptor.jobs.unit import cancel_surely, release_quietly, worker_alone
from receptor_runner.system.cancel import CancelToken

Result = TypeVar("Result")

log = logging.getLogger("receptor_runner.unit")

_TAIL_SIZE = 1000
_CANCEL_OUT_S = 1.0
"""How long a detach waits for a cancel's request to be on its way; the reply may take ten times as long."""
_LAST_WORD_POLL_S = 0.1
_LAST_WORD_S = 3.0
_NOT_YET_STARTED = "Job Submitted"
"""The node's word for a unit whose other node it could not reach, or whose start it was refused; it tries again."""


def submit(
    control: Control,
    order: WorkOrder,
    payload: Iterable[bytes],
    on_created: Callable[[str], None],
    on_aborted: Callable[[bool], None] = lambda _removed: None,
) -> str:
    """Submit a unit; return its id.

    The payload flows only after `on_created` has returned. If anything fails before all of it is sent, the unit
    is released before it can start.

    Args:
        control: the node that is asked.
        order: what is to run.
        payload: what the worker reads.
        on_created: takes the unit's id, to write it down.
        on_aborted: called if nothing of the job will run after all, with whether the unit could be removed.

    Raises:
        Rejected: the node or the one behind it refused; no unit is left. A unit that somebody canceled meanwhile is no
            such case: its status tells.
        ContactLost: the payload is sent but the node's word is missing: the unit may run.
        NodeUnavailable: nothing runs.
    """
    submission = control.submit(order)
    try:
        with submission:
            on_created(submission.unit_id)
            word = _start(submission, payload)
    except Rejected as error:
        if _state_of(control, submission.unit_id) is UnitState.CANCELED:
            return submission.unit_id  # its follower says so
        on_aborted(_settle_refusal(control, submission.unit_id, error))
        raise
    except BaseException:
        if not submission.started:
            on_aborted(submission.removed)
        raise
    if word == _NOT_YET_STARTED and _state_of(control, submission.unit_id) is UnitState.PENDING:
        log.warning(
            "node `%s` has not taken unit %s yet; it is asked again for %s",
            order.node,
            submission.unit_id,
            order.ttl,
        )
    return submission.unit_id


def _start(submission: Submission, payload: Iterable[bytes]) -> str:
    try:
        return submission.start(payload)
    except Unreachable as error:
        if not submission.started:
            raise
        raise ContactLost(
            f"unit {submission.unit_id} may have started", cause=str(error), hint="attach to it"
        ) from error


def _state_of(control: Control, unit_id: str) -> UnitState | None:
    """Return the state of a unit; None if its node does not say."""
    with contextlib.suppress(NodeUnavailable):
        return control.unit_status(unit_id).state
    return None


def _settle_refusal(control: Control, unit_id: str, refusal: Rejected) -> bool:
    """Remove a unit that could not be started; raise ContactLost if it may have been, on another node."""
    with contextlib.suppress(NodeUnavailable):
        status = control.unit_status(unit_id)
        if status.remote_unit_id:
            raise ContactLost(
                f"unit {unit_id} may have started as unit {status.remote_unit_id} of node `{status.remote_node}`",
                cause=str(refusal),
                hint="attach to it",
            ) from refusal
    return release_quietly(control, unit_id)


class Follower:
    """Follows one unit until its end is beyond doubt.

    A closed stream is no verdict: it is compared with what the node says of the unit, and resumed where bytes are
    missing.

    Args:
        control: the node.
        unit_id: the unit.
        processor: takes the results; it may have taken a part of them already.
        policy: how to follow.
        cancel: once requested, the unit is canceled and its remaining output awaited.
        detach: once requested, the following ends and the unit goes on.
        on_progress: called after every piece and at least twice a second.
    """

    def __init__(
        self,
        control: Control,
        unit_id: str,
        processor: Processor,
        *,
        policy: FollowPolicy,
        cancel: CancelToken,
        detach: CancelToken,
        on_progress: Callable[[], None],
    ) -> None:
        self._control = control
        self._unit_id = unit_id
        self._processor = processor
        self._policy = policy
        self._cancel = cancel
        self._detach = detach
        self._on_progress = on_progress
        self._heard_at = self._asked_at = self._started_at = time.monotonic()
        self._watch = Watch(policy, runner_lives=control.process_lives, is_routed=control.is_routed)
        self._canceler: threading.Thread | None = None
        self._missed_at: float | None = None

    def follow(self) -> Outcome:
        """Return how the job ended.

        Raises:
            StreamError: the unit ended but its stream is broken or incomplete.
            NeverStarted: nothing of it ran; the unit is removed.
            ContactLost: the person detached, or waiting took too long; the job goes on.
            Unreachable: the node stays away longer than the retry policy allows.
        """
        while True:
            ended = self._stream_once()
            if ended is not None:
                return ended

    def _stream_once(self) -> Outcome | None:
        """Read one connection's worth of results; return the outcome if that settles it."""
        if self._processor.ended:
            return self._finished()
        try:
            results = self._retried(self._open, f"resuming the results of unit {self._unit_id}")
        except UnknownUnit:
            return self._vanished()
        with results, contextlib.suppress(Unreachable):
            return self._read(results)
        return None

    def _finished(self) -> Outcome:
        """Return the stream's own verdict; for a cancel that is none of ours, with what the node says of it."""
        outcome = self._processor.finish()
        if outcome.status is not Status.CANCELED or self._cancel.requested or outcome.explanation:
            return outcome
        explanation = f"by another client than this (unit {self._unit_id}: {self._last_word()})"
        return dataclasses.replace(outcome, explanation=explanation)

    def _last_word(self) -> str:
        """Return what the node says of a unit whose stream has ended; it may take it a moment."""
        deadline = time.monotonic() + _LAST_WORD_S
        try:
            while not (status := self._ask()).state.is_final and time.monotonic() < deadline:
                time.sleep(_LAST_WORD_POLL_S)
        except NodeUnavailable as error:
            return str(error)
        return f"{status.state}: {status.detail}" if status.detail != status.state else status.detail

    def _retried(self, step: Callable[[], Result], what: str) -> Result:
        """Retry a step; a cancel or detach ends the wait for a node that is away."""
        return self._policy.retry.call(step, what, self._cancel)

    def _open(self) -> Results:
        return self._control.results(self._unit_id, self._processor.received)

    def _read(self, results: Results) -> Outcome | None:
        while True:
            data = results.read(self._policy.poll_s)
            self._heed_requests()
            if data:
                self._heard(data)
            if self._processor.ended:
                return self._finished()
            if data == b"":
                return self._after_close()
            if data is None and (ended := self._after_silence()):
                return ended

    def _heard(self, data: bytes) -> None:
        self._heard_at = time.monotonic()
        self._processor.feed(data)
        self._on_progress()

    def _heed_requests(self) -> None:
        if self._cancel.requested and self._canceler is None:
            self._canceler = threading.Thread(target=self._cancel_unit, name="cancel", daemon=True)
            self._canceler.start()
        if self._detach.requested:
            raise self._detached()
        waited_s = time.monotonic() - self._started_at
        if self._policy.wait_timeout_s is not None and waited_s > self._policy.wait_timeout_s:
            raise ContactLost(f"the job did not end within {self._policy.wait_timeout_s:g} s; it goes on")

    def _detached(self) -> ContactLost:
        """Return the error that ends the following; a requested cancel is sent first."""
        if self._canceler is None:
            return ContactLost("detached; the job goes on")
        self._canceler.join(_CANCEL_OUT_S)
        return ContactLost("detached; the cancel is on its way")

    def _cancel_unit(self) -> None:
        """Ask for the cancel beside the stream: the reply comes only when the worker is gone."""
        try:
            if not self._policy.retry.call(
                lambda: cancel_surely(self._control, self._unit_id),
                f"canceling unit {self._unit_id}",
                self._detach,
            ):
                log.warning("the cancel of unit %s is pending: its node is out of reach", self._unit_id)
        except UnknownUnit:
            return  # its last word came, and it was released, before the node's reply
        except NodeUnavailable as error:
            log.warning("unit %s could not be canceled: %s", self._unit_id, error)

    def _after_close(self) -> Outcome | None:
        """Decide after the node closed the stream: is that all, or only all for now?"""
        try:
            status = self._retried(self._ask, f"asking for unit {self._unit_id}")
        except UnknownUnit:
            return self._vanished()
        if ended := self._judge(status):
            return ended
        if status.state.is_complete and self._processor.received >= status.stdout_size:
            return self._incomplete(status)
        self._detach.wait(self._policy.poll_s)
        return None

    def _after_silence(self) -> Outcome | None:
        """Look after a unit of which nothing comes."""
        self._on_progress()
        now = time.monotonic()
        if now - max(self._asked_at, self._heard_at) < self._policy.status_s:
            return None
        self._check_contact(now)
        try:
            return self._judge(self._ask())
        except UnknownUnit:
            return self._vanished()

    def _check_contact(self, now: float) -> None:
        limit_s = self._policy.contact_timeout_s
        if limit_s is not None and self._processor.keepalives and now - self._heard_at > limit_s:
            raise ContactLost(f"nothing came for {limit_s:g} s although the worker sends keepalives")

    def _ask(self) -> UnitStatus:
        self._asked_at = time.monotonic()
        status = self._control.unit_status(self._unit_id)
        self._missed_at = None
        return status

    def _judge(self, status: UnitStatus) -> Outcome | None:
        """Return the outcome if the unit is over although its stream is not."""
        now = time.monotonic()
        silent_s = now - self._heard_at
        seen = Evidence(status=status, received=self._processor.received, silent_s=silent_s, now=now)
        ended = self._watch.judge(seen)
        if ended and ended.status is Status.ERROR:
            # what never started must not start later, when it counts as ended
            release_quietly(self._control, self._unit_id, force=True)
            raise NeverStarted("the job never started", cause=ended.explanation, hint=_hint_of(status))
        if ended and (worker := worker_alone(self._control, status)):
            # the release does not reach it
            self._control.interrupt_worker(self._unit_id, worker)
        return ended and self._explained(ended)

    def _explained(self, outcome: Outcome) -> Outcome:
        explanation = f"unit {self._unit_id}: {outcome.explanation}; {self._processor.progress()}"
        if last := self._processor.last_output():
            explanation += f"; the last output: {last}"
        return dataclasses.replace(outcome, explanation=explanation)

    def _vanished(self) -> Outcome | None:
        """Return that the unit is lost once its node has not known it for a while.

        Source: a daemon that has just started may answer before it has found its units.
        """
        now = time.monotonic()
        self._missed_at = self._missed_at or now
        if now - self._missed_at < self._policy.vanished_s:
            self._detach.wait(self._policy.poll_s)
            return None
        return self._explained(Outcome(status=Status.LOST, explanation="its node does not know it any more"))

    def _incomplete(self, status: UnitStatus) -> Outcome:
        """Raise what is wrong with a stream that is all there but not whole, in the unit's own words."""
        try:
            return self._processor.finish()
        except StreamError as error:
            raise StreamError(
                error.what,
                cause=f"{error.cause}; unit {self._unit_id} {status.state}: {status.detail}{self._tail(status)}",
                hint="look at the work-command of the node, and at its log",
                offset=error.offset,
            ) from error

    def _tail(self, status: UnitStatus) -> str:
        """Return the end of what the unit printed, in words: what is no message, else the job's own output."""
        begin = max(status.stdout_size - _TAIL_SIZE, 0)
        try:
            with self._control.results(self._unit_id, begin) as results:
                tail = bytearray()
                while piece := results.read(2.0):
                    tail += piece
        except NodeUnavailable:
            tail = bytearray()
        if words := foreign_words(bytes(tail), is_torn=begin > 0):
            return f"; its last words: {words}"
        last = self._processor.last_output()
        return f"; the last output: {last}" if last else ""


def foreign_words(tail: bytes, *, is_torn: bool) -> str:
    """Return what a unit printed that is no message of a stream.

    Args:
        tail: the end of its output.
        is_torn: whether it begins in the middle of a line, which is then left out.
    """
    lines = tail.decode(errors="backslashreplace").split("\n")[is_torn:]
    return "\n".join(line for line in lines if not line.startswith("{")).strip()


def _hint_of(status: UnitStatus) -> str:
    """Return where to look for the reason; what another node says of a late start is only in the asked one's log."""
    if not status.remote_node:
        return "look at the log of the node"
    return f"look at the log of the asked node, and at firewallrules and tls of node `{status.remote_node}`"
