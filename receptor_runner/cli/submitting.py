"""Packing and submitting a job from the command line: progress, warnings, and what Ctrl-C does meanwhile."""

from __future__ import annotations

import contextlib
import logging
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from receptor_runner.cli import messages
from receptor_runner.errors import Interrupted, pasteable

if TYPE_CHECKING:
    from receptor_runner.cli.live.display import JobDisplay
    from receptor_runner.job import Job
    from receptor_runner.receptor.jobs.record import Record
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
        with _interruptible(private_data_dir, ident):
            destination = display.watching(where)
            return start(shipment, private_data_dir, destination, local, rerun=rerun, on_route=display.routed)
    finally:
        shipment.close()


@contextlib.contextmanager
def _interruptible(private_data_dir: Path, ident: str) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM abort a submit, and say how to attach if the job may have started all the same."""

    def terminate(number: int, _frame: FrameType | None) -> None:
        raise Interrupted("terminated", signal_number=number)

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except (KeyboardInterrupt, Interrupted) as stop:
        number = signal.SIGTERM if isinstance(stop, Interrupted) else signal.SIGINT
        raise _aborted(private_data_dir, ident, number) from stop
    finally:
        signal.signal(signal.SIGTERM, previous)


def _aborted(private_data_dir: Path, ident: str, number: int) -> Interrupted:
    from receptor_runner.receptor.jobs.record import RecordFile

    record = RecordFile(private_data_dir, ident).read()
    if record and record.is_active and record.unit_id:
        hint = pasteable("receptor-runner", "attach", private_data_dir, "-i", ident)
        return Interrupted("interrupted; the job may be running", signal_number=number, hint=hint)
    return Interrupted("interrupted; nothing of the job has run", signal_number=number)
