"""Proofs that a unit ran nothing of its job. Without a proof a job counts as one that may have run."""

from __future__ import annotations

import json
import time
from typing import Any

from receptor_runner.errors import NodeUnavailable
from receptor_runner.outcome import Status
from receptor_runner.receptor.control.unit import UnitState, UnitStatus
from receptor_runner.receptor.jobs.liveness import failed_start
from receptor_runner.receptor.jobs.verdict import ReadableUnit, read_results

_SMALL = 8192
_NO_WORKER = ("Pending at restart", "Error reading input data", "upload aborted")
"""How a node begins to say that it never started the worker."""
_TORN_PAYLOAD = "Failed to JSON parse a line from transmit stream."
"""How a worker, ours or ansible-runner's, begins to say that its payload is no whole stream."""
_SETTLED_WITHIN_S = 10.0
_POLL_S = 0.1


def got_no_payload(unit: ReadableUnit, status: UnitStatus) -> bool:
    """Return whether node or worker say that no whole payload arrived.

    Source: ansible-runner's worker exits 0 all the same, so the unit counts as Succeeded.
    """
    if not status.state.is_complete:
        return False
    if status.stdout_size == 0:
        return status.state is UnitState.FAILED and status.detail.startswith(_NO_WORKER)
    first = _first_status(unit, status)
    explanation = first.get("job_explanation") if first else None
    return isinstance(explanation, str) and explanation.startswith(_TORN_PAYLOAD)


def ran_nothing(unit: ReadableUnit, status: UnitStatus) -> bool:
    """Return whether a unit has ended and provably ran nothing of its job.

    Source: a worker, ours or ansible-runner's, reports `starting` before it executes anything. One whose first status
    is `error` failed before, for example because the archive in its payload is torn.
    """
    if got_no_payload(unit, status):
        return True
    if (failure := failed_start(status)) is not None:
        return failure.status is Status.ERROR
    if not status.state.is_complete:
        return False
    first = _first_status(unit, status)
    return first is not None and first.get("status") == Status.ERROR


def _first_status(unit: ReadableUnit, status: UnitStatus) -> dict[str, Any] | None:
    """Return the first status of a short stream, None if there is none or if anything comes before it."""
    if status.stdout_size >= _SMALL:
        return None
    for line in read_results(unit, 0, status.stdout_size).split(b"\n"):
        try:
            message = json.loads(line)
        except ValueError:
            continue  # the node merges stderr into the results
        if isinstance(message, dict):
            return message if "status" in message else None
    return None


def interrupted_upload_ran_nothing(unit: ReadableUnit, *, within_s: float = _SETTLED_WITHIN_S) -> bool:
    """Return whether a unit whose upload was interrupted provably ran nothing.

    Its client may have died before the end of the payload or just after it: in the second case the job runs. A worker
    shows within moments which of the two it is; it is given that time.

    Args:
        unit: the unit.
        within_s: how long it is waited for.
    """
    deadline = time.monotonic() + within_s
    try:
        while time.monotonic() < deadline:
            status = unit.status()
            if status.state.is_final:
                return ran_nothing(unit, status)
            if status.stdout_size and _has_begun(unit, status):
                return False
            time.sleep(_POLL_S)
    except NodeUnavailable:
        pass  # no proof
    return False


def _has_begun(unit: ReadableUnit, status: UnitStatus) -> bool:
    first = _first_status(unit, status)
    return status.stdout_size >= _SMALL or (first is not None and first["status"] != Status.ERROR)
