"""Packing and submitting a job from the command line: progress, warnings, and what Ctrl-C does meanwhile."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.cli import messages
from receptor_runner.cli.signals import signal_of
from receptor_runner.errors import Interrupted

if TYPE_CHECKING:
    from receptor_runner.cli.live.display import JobDisplay
    from receptor_runner.job import Job
    from receptor_runner.receptor.jobs.record import Record, RecordFile
    from receptor_runner.receptor.nodes.destination import Destination
    from receptor_runner.receptor.nodes.locate import LocalNode
    from receptor_runner.transmit import Shipment

log = logging.getLogger("receptor_runner.cli")


def submit_job(
    private_data_dir: Path,
    job: Job,
    where: Destination,
    local: LocalNode,
    display: JobDisplay,
    *,
    include_artifacts: bool,
    rerun: bool,
) -> Record:
    """Pack a job and submit it; return its record.

    Args:
        private_data_dir: the directory to send.
        job: what to run, with an ident.
        where: where it runs.
        local: the local node.
        display: shows the progress.
        include_artifacts: send the artifacts of earlier jobs too.
        rerun: whether an ended job of the same ident may be replaced.
    """
    from receptor_runner.transmit import prepare

    level = where.level(local)
    shipment = prepare(job, private_data_dir, include_artifacts=include_artifacts, level=level)
    return submit_shipment(private_data_dir, shipment, where, local, display, rerun=rerun)


def submit_shipment(
    private_data_dir: Path,
    shipment: Shipment,
    where: Destination,
    local: LocalNode,
    display: JobDisplay,
    *,
    rerun: bool,
) -> Record:
    """Submit a packed job and give its archive back; return its record.

    Args:
        private_data_dir: where its artifacts go.
        shipment: the job, with an ident.
        where: where it runs.
        local: the local node.
        display: shows the progress.
        rerun: whether an ended job of the same ident may be replaced.
    """
    from receptor_runner.receptor.jobs.submit import start

    ident = str(shipment.job.ident)
    log.debug("packed job %s: %d bytes", ident, shipment.archive.size if shipment.archive else 0)
    shipment.on_sent = display.sent
    try:
        for warning in shipment.warnings():
            messages.note(f"warning: {warning}")
        destination = display.watching(where)
        return start(shipment, private_data_dir, destination, local, rerun=rerun, on_route=display.routed)
    finally:
        shipment.close()


@contextlib.contextmanager
def interruptible(private_data_dir: Path, ident: str) -> Iterator[None]:
    """Say, if a signal stops the body, whether the job may run all the same, and how to attach to it then.

    The body is all that a command does with the job: there is no moment between packing, submitting and following at
    which a signal would leave a job without a word.

    Args:
        private_data_dir: where its artifacts go.
        ident: the ident of the job, or of the sliced job.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        raise _aborted(private_data_dir, ident, signal_of(stop)) from stop


def _aborted(private_data_dir: Path, ident: str, number: int) -> Interrupted:
    from receptor_runner.receptor.jobs.record import RecordFile

    file = RecordFile(private_data_dir, ident)
    if any(record.may_run() for record in chain([file], _slices_of(private_data_dir, ident))):
        return Interrupted("interrupted; the job may be running", signal_number=number, hint=file.way_back)
    return Interrupted("interrupted; nothing of the job has run", signal_number=number)


def _slices_of(private_data_dir: Path, ident: str) -> Iterator[RecordFile]:
    """Yield the records of the slices of an earlier run, which a sliced job goes on with."""
    from receptor_runner.slices.sliced_job import SlicedJob

    sliced = SlicedJob(private_data_dir, ident)
    if sliced.exists():
        yield from (sliced.record_of(entry) for entry in sliced.read().slices)
