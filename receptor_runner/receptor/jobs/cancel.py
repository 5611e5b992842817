"""Stopping a job, and removing its unit."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path

from receptor_runner.errors import MissingInput, NodeUnavailable, UnknownUnit
from receptor_runner.outcome import RC_STOPPED, Outcome, Status
from receptor_runner.receptor.control.unit import UnitStatus
from receptor_runner.receptor.jobs.job_unit import JobUnit
from receptor_runner.receptor.jobs.record import Record, RecordFile, Stage
from receptor_runner.receptor.nodes.destination import Destination


class Cancel(StrEnum):
    """What a cancel did."""

    DONE = "canceled"
    ENDED = "has already ended"


def cancel(private_data_dir: Path, ident: str, destination: Destination) -> Cancel:
    """Stop a job.

    Whoever follows the job, now or later, still receives its remaining output.

    Args:
        private_data_dir: where the job's artifacts are.
        ident: the job.
        destination: deadlines and retries.

    Raises:
        MissingInput: no such job was submitted, or it never got a unit.
        UnknownUnit: its node does not know its unit any more.
        NodeUnavailable: its node does not answer, or the cancel is pending because the target node is out of reach.
    """
    file = RecordFile(private_data_dir, ident)
    record = file.require()
    if not record.is_active:
        return Cancel.ENDED
    if record.unit_id is None:
        raise MissingInput(f"the job `{ident}` has no unit", cause="nothing of it runs")
    unit = JobUnit(file, destination)
    try:
        done = destination.ask(unit.control, unit.cancel, f"canceling unit {unit.unit_id}")
    except UnknownUnit:
        if file.require().is_active:
            raise
        # Its follower received the end, and released the unit, before the node answered us.
        return Cancel.DONE
    if not done:
        raise _pending("cancel", record, file.way_back)
    return Cancel.DONE


def release(private_data_dir: Path, ident: str, destination: Destination, *, force: bool = False) -> Record:
    """Remove a job's unit from its node, which stops it if it still runs; return the new record.

    Args:
        private_data_dir: where the job's artifacts are.
        ident: the job.
        destination: deadlines and retries.
        force: remove it even if the target node is out of reach.

    Raises:
        MissingInput: no such job was submitted.
        IdentExists: another process follows it.
        NodeUnavailable: its node does not answer, or the release is pending because the target node is out of reach.
    """
    file = RecordFile(private_data_dir, ident)
    file.require()
    with file.locked():
        record = file.require()
        if record.released:
            return record
        if record.unit_id is None:
            outcome = Outcome(status=Status.ERROR, explanation="nothing of it ran: it never got a unit")
        else:
            outcome = _release_unit(JobUnit(file, destination), destination, record, force=force)
        stage = record.stage if record.outcome else Stage.RELEASED
        ended = dataclasses.replace(record, stage=stage, outcome=record.outcome or outcome, released=True)
        return file.write(ended)


def _release_unit(unit: JobUnit, destination: Destination, record: Record, *, force: bool) -> Outcome:
    """Release a unit; return how a job ended that has no outcome yet."""
    what = f"releasing unit {unit.unit_id}"
    try:
        # Before the release: afterwards nobody can tell whether the job was stopped or had ended.
        outcome = _outcome_of_release(destination.ask(unit.control, unit.status, what), force=force)
    except UnknownUnit:
        return Outcome(status=Status.LOST, explanation="its node did not know its unit any more")
    if not destination.retry.call(lambda: unit.release(force=force), what):
        raise _pending("release", record, "repeat the command with --force to release it here alone")
    return outcome


def _outcome_of_release(status: UnitStatus, *, force: bool) -> Outcome:
    was = f"it was {status.state}: {status.detail}"
    if status.state.is_complete:
        explanation = f"its unit was released before its results were fetched ({was})"
        return Outcome(status=Status.LOST, explanation=explanation)
    if force and status.remote_node:
        explanation = f"its unit was released by force; on node `{status.remote_node}` it may run on ({was})"
        return Outcome(status=Status.LOST, explanation=explanation)
    return Outcome(status=Status.CANCELED, rc=RC_STOPPED, explanation=f"its unit was released ({was})")


def _pending(what: str, record: Record, hint: str) -> NodeUnavailable:
    return NodeUnavailable(
        f"the {what} of unit {record.unit_id} is pending",
        cause=f"node `{record.node}` is out of reach; the local node repeats the {what} when it is back",
        hint=hint,
    )
