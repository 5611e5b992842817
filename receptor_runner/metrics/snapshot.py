"""The figures: counted from the records of jobs and from certificates, without asking any node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from receptor_runner.recap import read_recap
from receptor_runner.receptor.jobs.overview import JobView
from receptor_runner.receptor.jobs.record import Record, RecordedJob, RecordFile
from receptor_runner.receptor_config.certificate_ends import CertificateEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The figures of one moment.

    Attributes:
        taken: the moment.
        jobs: how many jobs there are, by node and state.
        durations_s: how long each job took that has ended, in seconds.
        sent_bytes: the payloads of all jobs.
        received_bytes: the results of all jobs, as far as they have arrived.
        units_left: how many ended jobs have a unit that was not released.
        certificates: the certificates that are watched.
    """

    taken: datetime
    jobs: Mapping[tuple[str, str], int]
    durations_s: Sequence[float]
    sent_bytes: int
    received_bytes: int
    units_left: int
    certificates: Sequence[CertificateEnd] = ()


def take_snapshot(
    jobs: Sequence[RecordedJob], certificates: Iterable[CertificateEnd], now: datetime
) -> Snapshot:
    """Count jobs as recorded.

    Args:
        jobs: the jobs.
        certificates: the certificates to watch; one that is named twice counts once.
        now: the moment.
    """
    records = [job.record for job in jobs]
    return Snapshot(
        taken=now,
        jobs=Counter((job.record.node, JobView(job=job).status) for job in jobs),
        durations_s=[seconds for job in jobs if (seconds := _duration_s(job)) is not None],
        sent_bytes=sum(record.sent_bytes for record in records),
        received_bytes=sum(_received(record) for record in records),
        units_left=sum(_has_unit_left(record) for record in records),
        certificates=tuple({end.path: end for end in certificates}.values()),
    )


def _duration_s(job: RecordedJob) -> float | None:
    """Return how long a job ran on its node; None while it may still run, and for one without events."""
    if job.record.is_active:
        return None
    file = RecordFile(job.place.private_data_dir, job.place.ident)
    return read_recap(file.artifact_dir).duration_s


def _received(record: Record) -> int:
    return record.checkpoint.position.offset


def _has_unit_left(record: Record) -> bool:
    return not record.is_active and record.unit_id is not None and not record.released
