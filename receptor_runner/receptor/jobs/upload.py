"""Creating a unit and sending its payload: the order of these steps is what makes a job run at most once."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable

from receptor_runner.errors import ContactLost, NodeUnavailable, Rejected, Unreachable
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.control.submission import Submission
from receptor_runner.receptor.control.unit import UnitState, WorkOrder
from receptor_runner.receptor.jobs.unit import Unit

log = logging.getLogger("receptor_runner.unit")

_NOT_YET_STARTED = "Job Submitted"
"""The local node's reply for a unit that the target node did not take yet; it goes on trying until the ttl ends."""


def upload(
    control: Control,
    order: WorkOrder,
    payload: Iterable[bytes],
    on_created: Callable[[str], None],
    on_aborted: Callable[[bool], None] = lambda _removed: None,
) -> str:
    """Create a unit and send its payload; return its id.

    The payload flows only after `on_created` has returned. If anything fails before all of it is sent, the unit is
    released before it can start.

    Args:
        control: the control service of the local node.
        order: the work order.
        payload: what the worker reads.
        on_created: takes the unit's id, to write it down.
        on_aborted: called if nothing of the unit will run, with whether the unit was removed.

    Raises:
        Rejected: the local node or the target node refused, and no unit is left. A unit that somebody else canceled
            in the meantime is not refused: its status says so.
        ContactLost: the payload is sent but the reply is missing: the unit may run.
        NodeUnavailable: nothing runs.
    """
    submission = control.submit(order)
    unit = Unit(control, submission.unit_id)
    removed = False
    try:
        with submission:
            try:
                on_created(unit.unit_id)
                reply = _start(submission, payload)
            finally:
                # While the connection is still open: when it closes, the daemon starts the unit on what has arrived.
                # A release on another connection is the only thing that keeps it from running; a cancel does not.
                if not submission.started:
                    removed = unit.discard()
    except Rejected as error:
        if _state_of(unit) is UnitState.CANCELED:
            return unit.unit_id
        on_aborted(_settle_refusal(unit, error))
        raise
    except BaseException:
        if not submission.started:
            on_aborted(removed)
        raise
    _warn_of_delay(unit, order, reply)
    return unit.unit_id


def _start(submission: Submission, payload: Iterable[bytes]) -> str:
    try:
        return submission.start(payload)
    except Unreachable as error:
        if not submission.started:
            raise
        raise ContactLost(
            f"unit {submission.unit_id} may have started", cause=str(error), hint="attach to it"
        ) from error


def _warn_of_delay(unit: Unit, order: WorkOrder, reply: str) -> None:
    if reply == _NOT_YET_STARTED and _state_of(unit) is UnitState.PENDING:
        log.warning(
            "node `%s` has not taken unit %s yet; the local node keeps trying for %s",
            order.node,
            unit.unit_id,
            order.ttl,
        )


def _state_of(unit: Unit) -> UnitState | None:
    """Return the state of a unit; None if its node does not answer or does not know it."""
    with contextlib.suppress(NodeUnavailable):
        return unit.status().state
    return None


def _settle_refusal(unit: Unit, refusal: Rejected) -> bool:
    """Remove a unit that was refused; return whether it is gone.

    Raises:
        ContactLost: the target node has made a unit of its own, which may have started.
    """
    with contextlib.suppress(NodeUnavailable):
        status = unit.status()
        if status.remote_unit_id:
            raise ContactLost(
                f"unit {unit.unit_id} may have started as unit {status.remote_unit_id} of node `{status.remote_node}`",
                cause=str(refusal),
                hint="attach to it",
            ) from refusal
    return unit.discard()
