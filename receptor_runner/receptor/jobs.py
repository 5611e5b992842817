"""What can be done with the jobs of a private data directory: run, submit, attach, cancel, release."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from receptor_runner.errors import (
    ContactLost,
    IdentExists,
    NodeUnavailable,
    RunnerError,
    StreamError,
    UnknownUnit,
)
from receptor_runner.outcome import Outcome, Status
from receptor_runner.process import Handlers, Processor, RunnerConfig, runner_config
from receptor_runner.receptor.control import Control, Deadlines, Tls, WorkOrder
from receptor_runner.receptor.embedded import embedded_address, ensure_running
from receptor_runner.receptor.locate import NodeAddress, locate
from receptor_runner.receptor.preflight import Route, find_route
from receptor_runner.receptor.record import Record, RecordFile, Stage
from receptor_runner.receptor.retry import RetryPolicy
from receptor_runner.receptor.unit import Follower, FollowPolicy, Wishes, release_quietly, submit
from receptor_runner.transmit import Shipment

log = logging.getLogger("receptor_runner.jobs")

CHECKPOINT_S = 1.0
CHECKPOINT_EVENTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a job is to run.

    Attributes:
        socket: the address of the node that is asked; by default RECEPTORCTL_SOCKET, a usual place, or the embedded
            node.
        node: the node where it runs; by default the asked one.
        work_type: the work-command there; by default ours, else ansible-runner's.
        params: further words for the worker's command line.
        tls_client: the asked node's TLS configuration towards the other.
        ttl: how long a remote unit may wait for its start, as a Go duration.
        sign: whether the request is signed; None leaves it to what the node advertises.
        preflight: whether node and work type are checked before the upload.
        tls: certificates for a `tls://` socket.
        deadlines: how long each exchange with the node may take.
        retry: how idempotent exchanges are tried again.
    """

    socket: str | None = None
    node: str | None = None
    work_type: str | None = None
    params: str | None = None
    tls_client: str | None = None
    ttl: str | None = None
    sign: bool | None = None
    preflight: bool = True
    tls: Tls | None = None
    deadlines: Deadlines = field(default_factory=Deadlines)
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def address(self) -> NodeAddress:
        """Return the node that is asked; the embedded one is started if it does not run.

        The embedded node serves only where nothing was named.

        Raises:
            NodeUnavailable: another node is wanted, but none was named that leads to it.
        """
        found = locate(self.socket)
        if found:
            return found
        if self.node or self.tls_client:
            raise NodeUnavailable(
                "no node leads to the mesh",
                cause="no socket was named, and none exists in the usual places",
                hint="name the socket of a Receptor node with --socket or RECEPTORCTL_SOCKET",
            )
        return ensure_running()

    def control(self, address: NodeAddress) -> Control:
        """Return the control service at an address."""
        return Control(address.socket, deadlines=self.deadlines, tls=self.tls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """How a job is followed, and what becomes of its unit.

    Attributes:
        handlers: whom to tell what.
        policy: deadlines and retries.
        wishes: what the person asks for meanwhile.
        config: what handlers are told of the job; by default one for the usual place.
        keep: whether the unit stays on its node if the job did not end well.
        on_route: called with the record once it is known where the job runs.
    """

    handlers: Handlers = field(default_factory=Handlers)
    policy: FollowPolicy = field(default_factory=FollowPolicy)
    wishes: Wishes = field(default_factory=Wishes)
    config: RunnerConfig | None = None
    keep: bool = False
    on_route: Callable[[Record, NodeAddress], None] = lambda _record, _address: None


def start(
    shipment: Shipment,
    private_data_dir: Path,
    destination: Destination,
    *,
    rerun: bool = False,
    on_route: Callable[[Record, NodeAddress], None] = lambda _record, _address: None,
) -> Record:
    """Submit a job, unless the same one is active already; return its record.

    Args:
        shipment: the packed job, with an ident.
        private_data_dir: where its artifacts go.
        destination: where it is to run.
        rerun: whether an ended job of that ident may be replaced.
        on_route: called once it is known where the job runs, before the payload flows.

    Raises:
        IdentExists: the ident belongs to an ended job, or to an active one with another job or inputs.
        NodeUnavailable: the node or the work type does not exist, or refused.
        ContactLost: the unit may run, but the node's word is missing.
    """
    assert shipment.job.ident is not None
    file = RecordFile(private_data_dir, shipment.job.ident)
    with file.locked():
        active = _active(file, shipment.digest(), rerun=rerun)
        return active or _submit(shipment, file, destination, on_route)


def _active(file: RecordFile, digest: str, *, rerun: bool) -> Record | None:
    """Return the record of the same job if it is active; clear what an ended one left if that is wanted."""
    record = file.read()
    if record and record.is_active and record.unit_id:
        if record.digest != digest:
            raise _taken(file, "an active job whose options or inputs differ")
        return record
    if (record and not record.is_active) or (record is None and file.has_artifacts()):
        if not rerun:
            raise _taken(file, "a job that has ended")
        _forget(file, record)
    return None


def _taken(file: RecordFile, by: str) -> IdentExists:
    directory = file.artifact_dir.parent.parent
    return IdentExists(
        f"the ident `{file.ident}` belongs to {by}",
        hint=f"receptor-runner attach {directory} -i {file.ident}, or the same command with --rerun",
    )


def _forget(file: RecordFile, record: Record | None) -> None:
    """Make room for a new run of an ident: nothing of the old one stays, on its node neither."""
    if record and record.unit_id and not record.released:
        release_quietly(Control(record.socket), record.unit_id)
    file.clear()


def _submit(
    shipment: Shipment,
    file: RecordFile,
    destination: Destination,
    on_route: Callable[[Record, NodeAddress], None],
) -> Record:
    address = destination.address()
    control = destination.control(address)
    route = _route(control, destination)
    record = file.write(
        Record(
            ident=file.ident,
            digest=shipment.digest(),
            socket=address.socket,
            embedded=address.embedded,
            node=route.node,
            work_type=route.work_type,
        )
    )
    on_route(record, address)
    try:
        return _send(shipment, file, control, record, _order(destination, route))
    except (ContactLost, KeyboardInterrupt):
        raise
    except RunnerError:
        file.remove()
        raise


def _route(control: Control, destination: Destination) -> Route:
    if destination.preflight:
        return find_route(control, destination.node, destination.work_type, destination.retry)
    own = str(control.status("NodeID").get("NodeID"))
    return Route(
        node=destination.node or own,
        is_local=destination.node in {None, own, "localhost"},
        work_type=destination.work_type or "receptor-runner",
    )


def _order(destination: Destination, route: Route) -> WorkOrder:
    sign = route.wants_signature if destination.sign is None else destination.sign
    return WorkOrder(
        node=None if route.is_local else route.node,
        work_type=route.work_type,
        params=destination.params,
        tls_client=None if route.is_local else destination.tls_client,
        ttl=None if route.is_local else destination.ttl,
        sign=sign and not route.is_local,
    )


def _send(shipment: Shipment, file: RecordFile, control: Control, record: Record, order: WorkOrder) -> Record:
    def note_unit(unit_id: str) -> None:
        nonlocal record
        record = file.write(dataclasses.replace(record, unit_id=unit_id, stage=Stage.CREATED))

    submit(control, order, shipment.chunks(), note_unit)
    return file.write(dataclasses.replace(record, stage=Stage.STARTED))


def follow(private_data_dir: Path, ident: str, destination: Destination, following: Following) -> Outcome:
    """Follow a submitted job until its end, from where the local artifacts stop.

    Once the artifacts are complete the unit is released.

    Args:
        private_data_dir: where the artifacts go.
        ident: the job.
        destination: deadlines and retries; where the job runs is in its record.
        following: how to follow.

    Returns:
        How the job ended; for a job that has ended already, how it did.

    Raises:
        MissingInput: no such job was submitted.
        StreamError: the job's results are broken or incomplete.
        ContactLost: the job may still run; it can be attached to.
    """
    file = RecordFile(private_data_dir, ident)
    file.require()
    with file.locked():
        return _Pursuit(file, private_data_dir, destination, following).run()


class _Pursuit:
    """One process's following of one job."""

    def __init__(
        self, file: RecordFile, private_data_dir: Path, destination: Destination, following: Following
    ) -> None:
        self._file = file
        self._record = file.require()
        self._following = following
        self._config = following.config or runner_config(private_data_dir, file.ident)
        self._address = reach(self._record)
        self._control = destination.control(self._address)
        self._saved_at = time.monotonic()
        self._saved_counter = self._record.checkpoint.counter

    def run(self) -> Outcome:
        if self._record.outcome and not self._record.is_active:
            return self._record.outcome
        if self._record.unit_id is None:
            self._file.remove()
            raise ContactLost(
                f"the job `{self._file.ident}` never got a unit",
                hint="submit it again: nothing of it has run",
            )
        self._following.on_route(self._record, self._address)
        processor = Processor(
            self._file.artifact_dir,
            config=self._config,
            handlers=self._following.handlers,
            checkpoint=self._record.checkpoint,
        )
        try:
            outcome = self._followed(processor, self._record.unit_id)
        finally:
            processor.close()
        return self._end(outcome)

    def _followed(self, processor: Processor, unit_id: str) -> Outcome:
        follower = Follower(
            self._control,
            unit_id,
            processor,
            policy=self._following.policy,
            wishes=self._following.wishes,
            on_progress=lambda: self._progress(processor),
        )
        try:
            outcome = follower.follow()
            self._save(processor)
            return outcome
        except StreamError as error:
            self._save(processor)
            self._end(Outcome(status=Status.ERROR, explanation=str(error)))
            raise
        except ContactLost as error:
            self._save(processor)
            raise self._with_way_back(error) from error
        except NodeUnavailable as error:
            self._save(processor)
            lost = ContactLost(f"contact with the job `{self._file.ident}` is lost", cause=str(error))
            raise self._with_way_back(lost) from error

    def _with_way_back(self, error: ContactLost) -> ContactLost:
        directory = self._file.artifact_dir.parent.parent
        way = f"receptor-runner attach {directory} -i {self._file.ident}"
        return ContactLost(error.what, cause=error.cause, hint=way)

    def _progress(self, processor: Processor) -> None:
        """Save a checkpoint when the last one is a second or a thousand events old."""
        due = time.monotonic() - self._saved_at >= CHECKPOINT_S
        if due or processor.counter - self._saved_counter >= CHECKPOINT_EVENTS:
            self._save(processor)

    def _save(self, processor: Processor) -> None:
        checkpoint = processor.checkpoint()
        self._saved_at = time.monotonic()
        if checkpoint == self._record.checkpoint:
            return
        self._saved_counter = processor.counter
        self._record = self._file.write(
            dataclasses.replace(self._record, checkpoint=checkpoint), durable=False
        )

    def _end(self, outcome: Outcome) -> Outcome:
        """Write down how the job ended, then release its unit."""
        self._record = self._file.write(dataclasses.replace(self._record, stage=Stage.ENDED, outcome=outcome))
        keep = self._following.keep and outcome.status is not Status.SUCCESSFUL
        if not keep and self._record.unit_id and release_quietly(self._control, self._record.unit_id):
            self._record = self._file.write(dataclasses.replace(self._record, released=True))
        return outcome


def reach(record: Record) -> NodeAddress:
    """Return the node that was asked for a job; an embedded one is started if it does not run."""
    if record.embedded and record.socket == embedded_address().socket and not record.released:
        return ensure_running()
    return NodeAddress(socket=record.socket, source="the job's record", embedded=record.embedded)


def cancel(private_data_dir: Path, ident: str, destination: Destination) -> bool:
    """Stop a job; return False if the request is pending because its node is out of reach.

    Whoever follows the job, now or later, brings its last words home.

    Raises:
        MissingInput: no such job was submitted.
        UnknownUnit: its node does not know it any more.
        NodeUnavailable: its node does not answer.
    """
    record = RecordFile(private_data_dir, ident).require()
    if not record.is_active or record.unit_id is None:
        return True
    control = destination.control(reach(record))
    unit_id = record.unit_id
    return destination.retry.call(lambda: control.cancel(unit_id), f"canceling unit {unit_id}")


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
    control = destination.control(reach(record))
    try:
        gone = destination.retry.call(
            lambda: control.release(unit_id, force=force), f"releasing unit {unit_id}"
        )
    except UnknownUnit:
        return
    if not gone:
        raise NodeUnavailable(
            f"the release of unit {unit_id} is pending",
            cause=f"node `{record.node}` is out of reach",
            hint="the same command with --force",
        )
