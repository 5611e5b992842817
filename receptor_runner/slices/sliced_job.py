"""A sliced job on disk: its index, beside the artifacts of its slices."""

from __future__ import annotations

import dataclasses
import json
from contextlib import AbstractContextManager
from pathlib import Path

from receptor_runner.artifacts import INDEX_NAME, make_directory, sliced_job_ident, write_atomically, writing
from receptor_runner.errors import MissingInput, pasteable
from receptor_runner.receptor.jobs.index import JobPlace
from receptor_runner.receptor.jobs.record import RecordFile, now
from receptor_runner.slices.index import Index, SliceEntry
from receptor_runner.system.files import open_regular, reading


class SlicedJob:
    """One job over many nodes: `artifacts/<ident>/slices.json`, with the lock and the cancel note of a job beside it.

    Its slices are ordinary jobs in `artifacts/<ident>-slice-<number>/`, so that everything that works on a job works on
    a slice.

    Args:
        private_data_dir: the private data directory.
        ident: the ident of the sliced job.
    """

    def __init__(self, private_data_dir: Path, ident: str) -> None:
        self._file = RecordFile(private_data_dir, ident)
        self.ident = ident
        self.artifact_dir = self._file.artifact_dir
        self.private_data_dir = self._file.place.private_data_dir
        self._path = self.artifact_dir / INDEX_NAME

    def exists(self) -> bool:
        """Return whether there is an index."""
        with reading(self._path):
            return self._path.is_file()

    def holds_another_job(self) -> bool:
        """Return whether the artifacts directory belongs to a job that is not a sliced job."""
        return not self.exists() and (self._file.exists() or self._file.has_artifacts())

    def read(self) -> Index:
        """Return the index.

        Raises:
            MissingInput: it is not there or cannot be read.
        """
        try:
            with open_regular(self._path) as file:
                return Index.from_json(json.load(file))
        except (OSError, ValueError) as error:
            raise MissingInput(
                f"the index {self._path} cannot be read",
                cause=str(error),
                hint=pasteable("receptor-runner", "jobs", self.private_data_dir, "--slices"),
            ) from error

    def write(self, index: Index, *, durable: bool = False) -> Index:
        """Replace the index and return it.

        Raises:
            OutputFailed: it cannot be written.
        """
        index = dataclasses.replace(index, updated=now())
        with writing(self.artifact_dir):
            make_directory(self.artifact_dir)
            write_atomically(
                self._path, json.dumps(index.to_json(), indent=1).encode() + b"\n", durable=durable
            )
        return index

    def write_end(self, index: Index) -> Index:
        """Write the index of a sliced job that ended, and `status` and `rc` as a job has them."""
        with writing(self.artifact_dir):
            write_atomically(self.artifact_dir / "status", index.status.encode())
            if index.rc is not None:
                write_atomically(self.artifact_dir / "rc", str(index.rc).encode())
            else:
                (self.artifact_dir / "rc").unlink(missing_ok=True)
        self._file.forget_cancel()
        return self.write(index, durable=True)

    def locked(self) -> AbstractContextManager[None]:
        """Lock the sliced job for this process: one process at a time runs or follows it."""
        return self._file.locked()

    def clear(self) -> None:
        """Remove the index of an earlier run, and what else is in the directory of the sliced job."""
        self._file.clear()

    def note_cancel(self) -> None:
        """Note that the sliced job is canceled, so that whoever runs it submits no further slice."""
        self._file.note_cancel()

    def forget_cancel(self) -> None:
        """Remove that note: the sliced job runs again."""
        self._file.forget_cancel()

    @property
    def is_canceled(self) -> bool:
        """Whether somebody canceled it."""
        return self._file.canceled_by() is not None

    def record_of(self, entry: SliceEntry) -> RecordFile:
        """Return the record of a slice."""
        return RecordFile(self.private_data_dir, entry.ident)

    @property
    def place(self) -> JobPlace:
        """Where the sliced job is."""
        return self._file.place

    @property
    def way_back(self) -> str:
        """The command that attaches to the sliced job."""
        return self._file.way_back


def find_sliced_job(place: JobPlace) -> SlicedJob | None:
    """Return the sliced job to which a job belongs as a slice, or None."""
    ident = sliced_job_ident(place.ident)
    sliced = SlicedJob(place.private_data_dir, ident) if ident else None
    return sliced if sliced and sliced.exists() else None
