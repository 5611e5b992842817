"""The write-ahead record of a job: `unit.json` in its artifacts directory.

It is written before anything is submitted, again with the unit's id before the payload flows, and then as the job goes
on, so that the job is found again whatever dies.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from receptor_runner.artifacts import (
    CANCEL_NAME,
    LOCK_NAME,
    RECORD_NAME,
    make_directory,
    write_atomically,
    writing,
)
from receptor_runner.errors import MissingInput, NeverStarted, OutputFailed, pasteable
from receptor_runner.job import check_ident
from receptor_runner.json_values import from_json
from receptor_runner.outcome import Outcome
from receptor_runner.receptor.jobs import index
from receptor_runner.receptor.jobs.index import JobPlace
from receptor_runner.receptor.jobs.job_lock import JobLock
from receptor_runner.results.checkpoint import Checkpoint
from receptor_runner.system.files import open_regular, reading, remove_tree

log = logging.getLogger("receptor_runner.record")

SCHEMA = 1


def now() -> str:
    """Return the moment as ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Stage(StrEnum):
    """How far a job has come, as far as this side knows."""

    INTENT = "intent"
    CREATED = "created"
    STARTED = "started"
    ENDED = "ended"
    ABORTED = "aborted"
    """The upload failed, so nothing has run, but the unit could not be removed."""
    RELEASED = "released"
    """Its unit was released before the results were fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known of a job.

    Attributes:
        ident: its name below `artifacts/`.
        digest: a digest of the job and its inputs.
        socket: the address of the local node.
        node_directory: the directory of the embedded node that was started for the job; None for any other node.
        node: the target node, as Receptor names it.
        work_type: the work type there.
        playbook: what it runs, as `Job.title` says.
        stage: how far it has come.
        unit_id: its work unit on the local node, once there is one.
        created: when the job was recorded (ISO 8601, UTC).
        updated: when the record was written last (likewise).
        checkpoint: from where to go on following.
        sent_bytes: how many bytes of payload were sent for it.
        outcome: how it ended.
        released: whether its unit is gone from the node.
        error_code: the exit code of the error that ended the following, where the job has no status of its own.
    """

    ident: str
    digest: str
    socket: str
    node_directory: str | None
    node: str
    work_type: str
    playbook: str = ""
    stage: Stage = Stage.INTENT
    unit_id: str | None = None
    created: str = field(default_factory=now)
    updated: str = ""
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    sent_bytes: int = 0
    outcome: Outcome | None = None
    released: bool = False
    error_code: int | None = None

    @property
    def is_active(self) -> bool:
        """Whether the job may still run."""
        return self.stage not in {Stage.ENDED, Stage.ABORTED, Stage.RELEASED}

    @property
    def may_run(self) -> bool:
        """Whether it has a unit that may still run."""
        return self.is_active and self.unit_id is not None

    @property
    def ran_nothing(self) -> bool:
        """Whether it has ended and it is certain that nothing of it ran, so that it may be run again."""
        return self.stage is Stage.ABORTED or self.error_code == NeverStarted.exit_code

    def to_json(self) -> dict[str, Any]:
        """Return the record as a JSON object."""
        return {"schema": SCHEMA, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, value: object) -> Record:
        """Read a record from its JSON object; keys that this version does not know are ignored.

        Raises:
            ValueError: it is no record.
        """
        record = from_json(value, cls)
        datetime.fromisoformat(record.created)
        return record


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedJob:
    """A job and where it is."""

    place: JobPlace
    record: Record


class RecordFile:
    """The record of one job on disk.

    Args:
        private_data_dir: the job's private data directory.
        ident: the job's name below `artifacts/`.
    """

    def __init__(self, private_data_dir: Path, ident: str) -> None:
        self.artifact_dir = Path(os.path.abspath(private_data_dir)) / "artifacts" / check_ident(ident)
        self.ident = ident
        self._path = self.artifact_dir / RECORD_NAME
        self._lock = JobLock(self.artifact_dir, ident)

    @property
    def place(self) -> JobPlace:
        """Where the job is."""
        return JobPlace(private_data_dir=self.artifact_dir.parent.parent, ident=self.ident)

    @property
    def way_back(self) -> str:
        """The command that attaches to the job."""
        return pasteable("receptor-runner", "attach", self.artifact_dir.parent.parent, "-i", self.ident)

    def read(self) -> Record | None:
        """Return the record, or None if there is none.

        Raises:
            MissingInput: it cannot be read.
        """
        try:
            with open_regular(self._path) as file:
                return Record.from_json(json.load(file))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise MissingInput(
                f"the record {self._path} cannot be read",
                cause=str(error),
                hint=f"look at it, or forget the job: {pasteable('rm', self._path)}",
            ) from error

    def may_run(self) -> bool:
        """Return whether there is a record of a job that may still run.

        Raises:
            MissingInput: the record cannot be read.
        """
        record = self.read()
        return bool(record and record.may_run)

    def require(self) -> Record:
        """Return the record.

        Raises:
            MissingInput: there is none.
        """
        record = self.read()
        if record is None:
            directory = self.artifact_dir.parent.parent
            raise MissingInput(
                f"no job `{self.ident}` in {directory}",
                cause=f"{self._path} does not exist",
                hint=pasteable("receptor-runner", "jobs", directory),
            )
        return record

    def write(self, record: Record, *, durable: bool = True) -> Record:
        """Replace the record and return it.

        Raises:
            OutputFailed: it cannot be written.
        """
        try:
            make_directory(self.artifact_dir)
            record = dataclasses.replace(record, updated=now())
            content = json.dumps(record.to_json(), indent=1).encode() + b"\n"
            write_atomically(self._path, content, durable=durable)
        except OSError as error:
            raise OutputFailed(f"cannot write {self._path}", cause=error.strerror) from error
        return record

    def remove(self) -> None:
        """Forget the job; its artifacts stay."""
        self._path.unlink(missing_ok=True)
        index.remove(self.place)

    def note_cancel(self) -> None:
        """Note that this process cancels the job.

        A file of its own, which is only ever created: the record belongs to whoever holds the lock, and a cancel comes
        from outside.

        Raises:
            OutputFailed: it cannot be written.
        """
        try:
            (self.artifact_dir / CANCEL_NAME).write_text(f"process {os.getpid()} at {now()}")
        except OSError as error:
            raise OutputFailed(f"cannot write to {self.artifact_dir}", cause=error.strerror) from error

    def forget_cancel(self) -> None:
        """Remove the note of a cancel: the job has ended."""
        (self.artifact_dir / CANCEL_NAME).unlink(missing_ok=True)

    def canceled_by(self) -> str | None:
        """Return which process of this tool canceled the job, and when; None if none did."""
        with contextlib.suppress(OSError), open_regular(self.artifact_dir / CANCEL_NAME) as file:
            return f"receptor-runner ({file.read().decode()})"
        return None

    def exists(self) -> bool:
        """Return whether there is a record, readable or not.

        Raises:
            MissingInput: nobody can tell, since a directory is closed.
        """
        with reading(self._path):
            return self._path.exists()

    def has_artifacts(self) -> bool:
        """Whether a job of this ident has left artifacts, recorded or not.

        Raises:
            MissingInput: nobody can tell, since a directory is closed.
        """
        with reading(self.artifact_dir):
            return any((self.artifact_dir / name).exists() for name in ("status", "rc", "job_events"))

    def clear(self) -> None:
        """Remove what an earlier job of this ident left, its fact cache and the note of a cancel aside.

        Raises:
            OutputFailed: something cannot be removed.
        """
        with writing(self.artifact_dir):
            for entry in self.artifact_dir.iterdir() if self.artifact_dir.is_dir() else ():
                if entry.name in {"fact_cache", LOCK_NAME, CANCEL_NAME}:
                    continue
                if entry.is_dir() and not entry.is_symlink():
                    remove_tree(entry, check=True)
                else:
                    entry.unlink()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the job for this process: one process at a time submits or follows it.

        Raises:
            IdentExists: another process holds it.
            OutputFailed: the artifacts directory cannot be written.
        """
        with self._lock.held():
            self._drop_drafts()
            yield

    def is_held(self) -> bool:
        """Return whether another process submits or follows the job right now."""
        return self._lock.is_held()

    def _drop_drafts(self) -> None:
        """Remove files that a killed process left half written."""
        for draft in self.artifact_dir.glob(".*.tmp"):
            draft.unlink(missing_ok=True)


def read_all(private_data_dir: Path) -> list[RecordedJob]:
    """Return the jobs of a private data directory, oldest first; a record that cannot be read is logged.

    Raises:
        MissingInput: the directory does not exist, or what is in it cannot be listed.
    """
    with reading(private_data_dir):
        if not private_data_dir.is_dir():
            raise MissingInput(f"private data directory {private_data_dir} does not exist")
        found = [
            path.name for path in _entries(private_data_dir / "artifacts") if (path / RECORD_NAME).exists()
        ]
    return _recorded(RecordFile(private_data_dir, name) for name in found)


def _entries(directory: Path) -> list[Path]:
    """Return what is in a directory, which need not exist. A glob passes over directories that are closed."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return sorted(directory.iterdir())
    return []


def read_indexed() -> list[RecordedJob]:
    """Return the jobs of this user, wherever they are, oldest first; those whose directory is gone are left out."""
    places = index.places()
    return _recorded(RecordFile(place.private_data_dir, place.ident) for place in places)


def _recorded(files: Iterable[RecordFile]) -> list[RecordedJob]:
    found = [
        RecordedJob(place=file.place, record=record) for file in files if (record := _read_if_whole(file))
    ]
    return sorted(found, key=lambda job: job.record.created)


def forget_vanished(private_data_dir: Path | None = None) -> None:
    """Remove from the index what has no record any more.

    Args:
        private_data_dir: only jobs of this directory.
    """
    where = None if private_data_dir is None else Path(os.path.abspath(private_data_dir))
    for place in index.places():
        if where in {None, place.private_data_dir} and _has_vanished(place):
            index.remove(place)


def _has_vanished(place: JobPlace) -> bool:
    try:
        return not RecordFile(place.private_data_dir, place.ident).exists()
    except MissingInput:
        return False


def _read_if_whole(file: RecordFile) -> Record | None:
    try:
        return file.read()
    except MissingInput as error:
        log.warning("%s", error)
        return None
