"""Pruning: units and records that are of no use any more, and how they are removed."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from receptor_runner.errors import IdentExists, NodeUnavailable, UnknownUnit
from receptor_runner.outcome import Outcome, Status
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.jobs.index import JobPlace
from receptor_runner.receptor.jobs.job_unit import reach
from receptor_runner.receptor.jobs.never_ran import got_no_payload
from receptor_runner.receptor.jobs.record import Record, RecordedJob, RecordFile, Stage
from receptor_runner.receptor.jobs.unit import Unit
from receptor_runner.receptor.nodes.destination import Destination

_FOUND_WITHIN_S = 1.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Prunable:
    """A unit, or a record, that is of no use any more.

    Attributes:
        ident: the job, or None for a unit that no record knows.
        socket: the address of its local node.
        unit_id: the unit, if there is one.
        reason: why it can be pruned.
        removed: whether it is gone now.
        given_up: whether its job counts as lost because its node does not answer; should that node come back, the unit
            can still be removed.
    """

    ident: str | None
    socket: str
    unit_id: str | None
    reason: str
    removed: bool = False
    given_up: bool = False


def prunable_jobs(
    jobs: Iterable[RecordedJob],
    destination: Destination,
    *,
    prune: bool = False,
    force: bool = False,
) -> Iterator[Prunable]:
    """Yield the jobs that have ended but whose unit is still on its node, or that never got one.

    Args:
        jobs: the jobs as recorded.
        destination: deadlines and retries.
        prune: whether each is also removed; by force if the target node is out of reach.
        force: whether to give up jobs whose local node does not answer.
    """
    for job in jobs:
        found = _prunable(job.record, destination, force=force)
        if found:
            yield _pruned(job.place, found, destination, force=force) if prune else found


def _prunable(record: Record, destination: Destination, *, force: bool) -> Prunable | None:
    reason = None
    if record.stage is Stage.INTENT and record.unit_id is None:
        reason = "it never got a unit"
    elif record.stage is Stage.ABORTED:
        reason = "its upload failed, its unit is not released"
    elif record.stage is Stage.ENDED and not record.released:
        reason = "it has ended, its unit is not released"
    elif record.is_active:
        reason = _loss(record, destination, force=force)
    if reason is None:
        return None
    return Prunable(ident=record.ident, socket=record.socket, unit_id=record.unit_id, reason=reason)


def _loss(record: Record, destination: Destination, *, force: bool) -> str | None:
    """Return why an active job is lost, if it is; a node that does not answer proves nothing."""
    assert record.unit_id is not None
    try:
        _ask_in_time(destination.control(reach(record)), record.unit_id)
    except UnknownUnit:
        return "its node does not know its unit any more"
    except NodeUnavailable as error:
        return f"its node is gone: {error}" if force else None
    return None


def _ask_in_time(control: Control, unit_id: str) -> None:
    """Ask for a unit; a node that has just started is given the time to find it."""
    deadline = time.monotonic() + _FOUND_WITHIN_S
    while True:
        try:
            control.unit_status(unit_id)
        except UnknownUnit:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)
        else:
            return


def _pruned(place: JobPlace, found: Prunable, destination: Destination, *, force: bool) -> Prunable:
    file = RecordFile(place.private_data_dir, place.ident)
    try:
        with file.locked():
            record = file.read()
            if record is None or record.unit_id is None:
                file.remove()
                return dataclasses.replace(found, removed=True)
            if record.unit_id != found.unit_id:
                return dataclasses.replace(found, reason="the ident belongs to another job now")
            released = _released(destination, record, record.unit_id)
            return _closed(file, record, found, released, force=force)
    except IdentExists:
        return dataclasses.replace(found, reason="another process submits or follows it")


def _closed(
    file: RecordFile, record: Record, found: Prunable, released: bool | None, *, force: bool
) -> Prunable:
    """Write down what became of a job whose unit was to be released: None if its node does not answer."""
    if not released and not (released is None and force):
        return found
    outcome = record.outcome or Outcome(status=Status.LOST, explanation=found.reason)
    file.write(dataclasses.replace(record, stage=Stage.ENDED, outcome=outcome, released=bool(released)))
    return dataclasses.replace(found, removed=bool(released), given_up=not released)


def _released(destination: Destination, record: Record, unit_id: str) -> bool | None:
    """Return whether the unit is gone now; None if its node does not answer."""
    try:
        unit = Unit(destination.control(reach(record)), unit_id)
        return unit.release() or unit.release(force=True)
    except NodeUnavailable:
        return None


def orphaned_units(
    jobs: Iterable[RecordedJob], control: Control, *, prune: bool = False
) -> Iterator[Prunable]:
    """Yield the units of a node that ran nothing and that no record knows.

    Such a unit is left when a client dies between the creation of the unit and writing down its id: the node then
    starts a worker without a job. A unit that ran, or may still run, is never listed.

    Args:
        jobs: all jobs whose units are known.
        control: the node.
        prune: whether each is also released.
    """
    known = {job.record.unit_id for job in jobs}
    for unit_id, status in control.units().items():
        if unit_id in known or not got_no_payload(Unit(control, unit_id), status):
            continue
        found = Prunable(
            ident=None, socket=control.address, unit_id=unit_id, reason=f"it ran nothing ({status.detail})"
        )
        yield dataclasses.replace(found, removed=Unit(control, unit_id).release()) if prune else found
