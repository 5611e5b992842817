"""Submitting a job: first the record, then the unit, then its id in the record, then the payload."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from receptor_runner.errors import ContactLost, IdentExists, RunnerError, UsageError
from receptor_runner.outcome import Outcome, Status
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.control.unit import WorkOrder
from receptor_runner.receptor.jobs import index
from receptor_runner.receptor.jobs.job_unit import JobUnit, reach
from receptor_runner.receptor.jobs.never_ran import interrupted_upload_ran_nothing
from receptor_runner.receptor.jobs.record import Record, RecordFile, Stage
from receptor_runner.receptor.jobs.routing import choose_route, has_store
from receptor_runner.receptor.jobs.unit import Unit
from receptor_runner.receptor.jobs.upload import upload
from receptor_runner.receptor.jobs.work_order import work_order
from receptor_runner.receptor.nodes.destination import Destination
from receptor_runner.receptor.nodes.locate import LocalNode
from receptor_runner.receptor.nodes.preflight import Route
from receptor_runner.rotation import rotate_artifacts
from receptor_runner.transmit import Shipment

log = logging.getLogger("receptor_runner.submit")

_REFUSED_WITHIN_S = 60.0
"""How long we wait for a worker to begin a job some of whose files it has kept: it may have to extract the others."""

_ABORTED = Outcome(status=Status.ERROR, explanation="the upload failed; nothing of the job has run")


def start(
    shipment: Shipment,
    private_data_dir: Path,
    destination: Destination,
    local: LocalNode,
    *,
    rerun: bool = False,
    is_listed: bool = True,
    on_route: Callable[[Record, LocalNode], None] = lambda _record, _local: None,
) -> Record:
    """Submit a job, unless the same one is active already; return its record.

    Args:
        shipment: the packed job, with an ident.
        private_data_dir: where its artifacts go.
        destination: where it is to run.
        local: the local node, from `destination.local_node()`.
        rerun: whether an ended job of that ident may be replaced.
        is_listed: whether the job appears in the list of all jobs of this user.
        on_route: called once it is known where the job runs, before the payload flows.

    Raises:
        IdentExists: the ident belongs to an ended job, or to an active one with another job or inputs.
        NodeUnavailable: the node or the work type does not exist, or refused.
        ContactLost: the unit may run, but the node's reply is missing.
    """
    assert shipment.job.ident is not None
    _check_artifact_dir(shipment.job.artifact_dir)
    file = RecordFile(private_data_dir, shipment.job.ident)
    with file.locked():
        digest = shipment.digest()
        if active := _active(file, digest, destination, rerun=rerun):
            return active
        record = _submit(shipment, digest, file, destination, local, on_route, is_listed=is_listed)
        rotate_artifacts(
            file.artifact_dir,
            shipment.job.rotate_artifacts or 0,
            lambda ident: is_disposable(private_data_dir, ident),
        )
        return record


def is_disposable(private_data_dir: Path, ident: str) -> bool:
    """Return whether a job's artifacts may be rotated away: with the record of a unit its last trace would go."""
    file = RecordFile(private_data_dir, ident)
    try:
        record = file.read()
    except RunnerError:
        return False
    if file.is_held():  # it is being submitted, perhaps before there is a record
        return False
    return record is None or (not record.is_active and (record.released or record.unit_id is None))


def _check_artifact_dir(artifact_dir: str | None) -> None:
    """Refuse a place outside of the private data directory: the artifacts of a whole job are fetched to there."""
    if artifact_dir and Path(artifact_dir).is_absolute():
        raise UsageError(
            f"the artifact directory {artifact_dir} is outside of the private data directory",
            hint="leave it out: artifacts go to DIR/artifacts/IDENT",
        )


def _active(file: RecordFile, digest: str, destination: Destination, *, rerun: bool) -> Record | None:
    """Return the record of the same job if it is active, else None: then this one may take its place.

    A job that provably ran nothing makes room for this one; one that ended does so only on request.
    """
    record = file.read()
    if record and (record.ran_nothing or _upload_was_interrupted(file, record, destination)):
        return None
    if record and record.may_run:
        if record.digest != digest:
            raise _taken(file, "an active job whose options or inputs differ").with_hint(
                f"use another ident, or follow that job: {file.way_back}"
            )
        return record
    has_ended = not record.is_active if record else file.has_artifacts()
    if has_ended and not rerun:
        raise _taken(file, "a job that has ended")
    return None


def _upload_was_interrupted(file: RecordFile, record: Record, destination: Destination) -> bool:
    """Return whether the job's client died during the upload and nothing of the job ran.

    We hold the lock, so no other process is uploading.
    """
    is_candidate = record.stage is Stage.CREATED and record.unit_id is not None
    return is_candidate and interrupted_upload_ran_nothing(JobUnit(file, destination))


def _taken(file: RecordFile, by: str) -> IdentExists:
    return IdentExists(
        f"the ident `{file.ident}` belongs to {by}",
        hint=f"replace it by the same command with --rerun, or look at it: {file.way_back}",
    )


def _forget_earlier(file: RecordFile, destination: Destination) -> None:
    """Remove what is left of an earlier job of this ident, its unit included."""
    record = file.read()
    if record and record.unit_id and not record.released:
        Unit(destination.control(reach(record)), record.unit_id).discard()
    if record or file.has_artifacts():
        file.forget_cancel()
        file.clear()


def _submit(
    shipment: Shipment,
    digest: str,
    file: RecordFile,
    destination: Destination,
    local: LocalNode,
    on_route: Callable[[Record, LocalNode], None],
    *,
    is_listed: bool,
) -> Record:
    control = destination.control(local)
    route = choose_route(control, destination)
    order = work_order(destination, route, control)
    _forget_earlier(file, destination)  # not before it is known that the node can take this job
    record = file.write(
        Record(
            ident=file.ident,
            digest=digest,
            socket=local.socket,
            node_directory=str(local.embedded.directory) if local.embedded else None,
            node=route.node,
            work_type=route.work_type,
            playbook=shipment.job.title,
        )
    )
    if is_listed:
        index.add(file.place)
    log.debug("job %s: node %s, work type %s, via %s", file.ident, route.node, route.work_type, local.socket)
    on_route(record, local)
    try:
        return _Sending(file, destination, control, record, order).send(shipment, route)
    except ContactLost as error:
        raise error.with_hint(file.way_back) from error
    except BaseException:
        _drop_intent(file)
        raise


def _drop_intent(file: RecordFile) -> None:
    """Forget a job that never got a unit."""
    record = file.read()
    if record and record.unit_id is None:
        file.remove()


@dataclasses.dataclass(slots=True)
class _Sending:
    """The way of a payload to the node, with what is written down meanwhile."""

    file: RecordFile
    destination: Destination
    control: Control
    record: Record
    order: WorkOrder
    sent_bytes: int = 0

    def send(self, shipment: Shipment, route: Route) -> Record:
        """Send what the worker lacks, or the whole payload where that is refused or does not pay."""
        if not self._send_reduced(shipment, route):
            self._upload(shipment)
        return self._note_start()

    def _send_reduced(self, shipment: Shipment, route: Route) -> bool:
        """Send what the worker lacks; return False if the whole job has to be sent."""
        if not (self.destination.store and has_store(route)):
            return False
        from receptor_runner.receptor.jobs.reduction import plan_reduction  # not for local jobs: 10 ms

        reduction = plan_reduction(shipment, self.control, self.order, route)
        if reduction is None:
            return False
        for reduced in reduction.attempts():
            with contextlib.closing(reduced):
                self._upload(reduced)
            if not self._was_refused():
                reduction.note_accepted()
                return True
            log.info("job %s: the worker's store has changed; the whole payload is sent", self.file.ident)
        return False

    def _upload(self, shipment: Shipment) -> None:
        payload = self._counted(shipment.chunks())
        upload(self.control, self.order, payload, self._note_unit, self._note_abortion)
        log.debug("job %s: all of the payload is sent", self.file.ident)

    def _counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            yield chunk
            self.sent_bytes += len(chunk)

    def _was_refused(self) -> bool:
        """Return whether the worker refused the payload before it ran anything; then its unit is removed.

        Until that is known the job's record says that the unit may not have got its payload: should this process die
        now, the same command finds out in the same way.
        """
        unit = JobUnit(self.file, self.destination)
        if not interrupted_upload_ran_nothing(unit, within_s=_REFUSED_WITHIN_S):
            return False
        if not unit.discard():
            unit.discard(force=True)
        return True

    def _note_unit(self, unit_id: str) -> None:
        self.record = self.file.write(dataclasses.replace(self.record, unit_id=unit_id, stage=Stage.CREATED))
        log.debug("job %s: unit %s created, sending the payload", self.file.ident, unit_id)

    def _note_abortion(self, removed: bool) -> None:
        if removed:
            self.file.remove()
        else:
            self.file.write(dataclasses.replace(self.record, stage=Stage.ABORTED, outcome=_ABORTED))

    def _note_start(self) -> Record:
        started = dataclasses.replace(self.record, stage=Stage.STARTED, sent_bytes=self.sent_bytes)
        return self.file.write(started)
