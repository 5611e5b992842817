"""Stopping and removing units, whatever state they are in."""

from __future__ import annotations

import logging
import time

from receptor_runner.errors import NodeUnavailable, UnknownUnit
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.control.unit import UnitState, UnitStatus

log = logging.getLogger("receptor_runner.unit")

_GONE_POLL_S = 0.1


def release_quietly(control: Control, unit_id: str, *, force: bool = False) -> bool:
    """Release a unit that is no longer needed; return whether it is gone."""
    try:
        return control.release(unit_id, force=force)
    except UnknownUnit:
        return True
    except NodeUnavailable as error:
        log.warning("unit %s could not be released: %s", unit_id, error)
        return False


def cancel_surely(control: Control, unit_id: str, *, within_s: float = 30.0) -> bool:
    """Stop a unit whatever it is doing; return False if the request is pending because its node is out of reach.

    Source: the daemon answers `cancelled` for a unit that waits for its payload or its start, and runs it
    nevertheless; likewise for one whose command runner is dead. A unit that is released before its start never runs.
    """
    deadline = time.monotonic() + within_s
    alone = worker_alone(control, control.unit_status(unit_id))
    while True:
        done = control.cancel(unit_id)
        if alone is not None:
            control.interrupt_worker(unit_id, alone)
        if not done or not _waits_here(control, unit_id):
            return done
        if time.monotonic() > deadline:
            return control.release(unit_id)
        time.sleep(_GONE_POLL_S)


def _waits_here(control: Control, unit_id: str) -> bool:
    """Whether a unit waits for its payload or its start on the asked node."""
    try:
        status = control.unit_status(unit_id)
    except UnknownUnit:
        return False
    return status.state is UnitState.PENDING and not status.remote_node


def worker_alone(control: Control, status: UnitStatus) -> int | None:
    """Return the process of a worker that has lost its command runner."""
    runner = status.runner_pid
    is_alone = status.extra is None or (runner is not None and control.process_lives(runner) is False)
    return status.worker_pid if is_alone else None


def release_fully(control: Control, unit_id: str, *, within_s: float = 10.0) -> bool:
    """Release a unit and wait until its node has forgotten it; return whether it has.

    Source: the release of a remote unit is answered before the unit is gone, or while it is only pending.
    """
    if not release_quietly(control, unit_id):
        return False
    deadline = time.monotonic() + within_s
    try:
        while time.monotonic() < deadline:
            control.unit_status(unit_id)
            time.sleep(_GONE_POLL_S)
    except UnknownUnit:
        return True
    except NodeUnavailable as error:
        log.warning("unit %s is released, but its node is away: %s", unit_id, error)
    return False
