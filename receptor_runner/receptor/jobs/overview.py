"""How jobs stand now: their records, and what their nodes report of the units of those that are active."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from receptor_runner.errors import RunnerError
from receptor_runner.outcome import Status
from receptor_runner.receptor.control.protocol import Deadlines
from receptor_runner.receptor.control.unit import UnitState, UnitStatus
from receptor_runner.receptor.jobs.job_unit import reach
from receptor_runner.receptor.jobs.record import Record, RecordedJob, RecordFile
from receptor_runner.receptor.nodes.destination import Destination

_AT_ONCE = 16
_DEADLINES = Deadlines(connect_s=2.0, reply_s=5.0)
_STATUS_OF = {
    UnitState.PENDING: "pending",
    UnitState.SUCCEEDED: "succeeded",
    UnitState.FAILED: "failed",
    UnitState.CANCELED: "canceled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """How a job stands.

    Attributes:
        job: the job as recorded.
        unit: the status of its unit, if its node was asked and knows the unit.
        is_unknown: whether its node was asked and does not know the unit.
        node_error: why its node could not be asked.
        is_followed: whether another process follows it right now.
    """

    job: RecordedJob
    unit: UnitStatus | None = None
    is_unknown: bool = False
    node_error: str | None = None
    is_followed: bool = False

    @property
    def record(self) -> Record:
        """Its record."""
        return self.job.record

    @property
    def is_active(self) -> bool:
        """Whether the job may still run, or is being followed to its end."""
        return self.record.is_active and (self.is_followed or not self.awaits_attach)

    @property
    def awaits_attach(self) -> bool:
        """Whether the unit has ended although the results are not here."""
        is_over = self.is_unknown or (self.unit is not None and self.unit.state.is_final)
        return self.record.is_active and is_over

    @property
    def status(self) -> str:
        """The job's status: its own if it ended, else that of its unit, else what the record says."""
        record = self.record
        if record.outcome:
            return record.outcome.status.value
        if self.is_unknown:
            return Status.LOST.value
        if self.unit and self.unit.state in _STATUS_OF:
            return _STATUS_OF[self.unit.state]
        if record.checkpoint.status:
            return record.checkpoint.status
        return Status.RUNNING.value if self.unit else record.stage.value


def overview(jobs: Sequence[RecordedJob], destination: Destination) -> list[JobView]:
    """Return how jobs stand; each node is asked once for all of its units, side by side and within seconds.

    Args:
        jobs: the jobs as recorded.
        destination: certificates of the sockets; its deadlines and retries are not used.
    """
    asked: dict[tuple[str, str | None], Record] = {}
    for record in (job.record for job in jobs):
        if record.may_run:
            asked.setdefault(_node_of(record), record)
    quick = dataclasses.replace(destination, deadlines=_DEADLINES)
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        answers = dict(zip(asked, pool.map(lambda record: _ask(record, quick), asked.values()), strict=True))
    return [_view(job, answers) for job in jobs]


def _node_of(record: Record) -> tuple[str, str | None]:
    return record.socket, record.node_directory


def _ask(record: Record, destination: Destination) -> dict[str, UnitStatus] | RunnerError:
    try:
        return destination.control(reach(record)).units()
    except RunnerError as error:
        return error


def _view(
    job: RecordedJob,
    answers: dict[tuple[str, str | None], dict[str, UnitStatus] | RunnerError],
) -> JobView:
    record = job.record
    answer = answers.get(_node_of(record))
    if answer is None or not record.is_active or record.unit_id is None:
        return JobView(job=job)
    is_followed = RecordFile(job.place.private_data_dir, record.ident).is_held()
    if isinstance(answer, RunnerError):
        return JobView(job=job, node_error=str(answer), is_followed=is_followed)
    unit = answer.get(record.unit_id)
    return JobView(job=job, unit=unit, is_unknown=unit is None, is_followed=is_followed)
