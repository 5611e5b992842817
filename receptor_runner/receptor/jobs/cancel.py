"""Stopping a job, and removing its unit."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path

from receptor_runner.errors import MissingInput, NodeUnavailable, UnknownUnit
from receptor_runner.outcome import Outcome, Status
from receptor_runner.receptor.jobs.record import Record, RecordFile, Stage
from receptor_runner.receptor.jobs.unit import Unit
from receptor_runner.receptor.nodes.destination import Destination, reach


class Cancel(StrEnum):
    """What became of the wish to stop a job."""

    DONE = "canceled"
    PENDING = "the cancel is pending, its node is out of reach"
    ENDED = "has ended already"


def cancel(private_data_dir: Path, ident: str, destination: Destination) -> Cancel:
    """Stop a job.

    Whoever follows the job, now or later, brings its last words home.

    Raises:
        MissingInput: no such job was submitted, or it never got a unit.
        UnknownUnit: its node does not know it any more.
        NodeUnavailable: its node does not answer.
    """
    file = RecordFile(private_data_dir, ident)
    record = file.require()
    if not record.is_active:
        return Cancel.ENDED
    if record.unit_id is None:
        raise MissingInput(f"the job `{ident}` has no unit: nothing of it runs")
    unit = Unit(destination.control(reach(record)), record.unit_id)
    try:
        done = destination.retry.call(unit.cancel, f"canceling unit {unit.unit_id}")
        return Cancel.DONE if done else Cancel.PENDING
    except UnknownUnit:
        if file.require().is_active:
            raise
        # who follows the job had its last word, and released the unit, before the node's reply
        return Cancel.DONE


def release(private_data_dir: Path, ident: str, destination: Destination, *, force: bool = False) -> Record:
    """Remove a job's unit from its node, which stops it if it still runs; return the new record.

    Args:
        private_data_dir: where the job's artifacts are.
        ident: the job.
        destination: deadlines and retries.
        force: remove it although a further node cannot be asked.

    Raises:
        MissingInput: no such job was submitted.
        IdentExists: another process follows it.
        NodeUnavailable: its node does not answer, or the release is pending.
    """
    file = RecordFile(private_data_dir, ident)
    file.require()
    with file.locked():
        record = file.require()
        if record.released:
            return record
        if record.unit_id:
            _release_unit(destination, record, record.unit_id, force=force)
        outcome = record.outcome or Outcome(
            status=Status.LOST, explanation="the unit was released before its results were here"
        )
        return file.write(dataclasses.replace(record, stage=Stage.ENDED, outcome=outcome, released=True))


def _release_unit(destination: Destination, record: Record, unit_id: str, *, force: bool) -> None:
    unit = Unit(destination.control(reach(record)), unit_id)
    gone = destination.retry.call(lambda: unit.release(force=force), f"releasing unit {unit_id}")
    if not gone:
        raise NodeUnavailable(
            f"the release of unit {unit_id} is pending",
            cause=f"node `{record.node}` is out of reach",
            hint="the same command with --force",
        )
