"""Writes the artifacts of a job as its results come: event files, `stdout`, and the archive at the end."""

from __future__ import annotations

import contextlib
import os
from functools import partial
from pathlib import Path
from typing import IO

from receptor_runner.archive.checks import ExtractionRules
from receptor_runner.archive.extraction import extract
from receptor_runner.archive.limits import ArchiveLimits
from receptor_runner.archive.parallel import SharedWork
from receptor_runner.artifacts import (
    RESERVED_NAMES,
    SPOOL_NAME,
    make_directory,
    open_at,
    open_directory,
    read_status,
    write_atomically,
    write_in,
    writing,
)
from receptor_runner.results.checkpoint import Checkpoint


class ArtifactWriter:
    """The files of one job that are being written.

    Args:
        artifact_dir: the artifacts directory; it is made if it is missing.
        start: where an earlier writer of the same files stopped.
        keeps_stdout: whether `stdout` is written while the job runs.

    Attributes:
        are_whole: whether the worker's archive has come; until then other files may be those of an earlier job.

    Raises:
        OutputFailed: the files cannot be written; so do all methods.
        ConfigError: the environment sets a limit on archives that is not a number.
    """

    def __init__(self, artifact_dir: Path, start: Checkpoint, *, keeps_stdout: bool) -> None:
        self.are_whole = start.has_artifacts
        self._artifact_dir = artifact_dir
        self._rules = ExtractionRules(
            reserved=RESERVED_NAMES,
            written_last=frozenset({"rc", "status"}),
            limits=ArchiveLimits.from_environment(os.environ),
        )
        self._writing = writing(artifact_dir)
        with self._writing:
            make_directory(artifact_dir)
            self._events = open_directory(artifact_dir / "job_events")
            self._event_files = SharedWork(partial(write_in, self._events))
            self._stdout: IO[bytes] | None = None
            if start.stdout_size is not None and keeps_stdout:
                self._stdout = open_at(artifact_dir / "stdout", start.stdout_size)
            self._spool: IO[bytes] | None = None
            if start.position.archive_size is not None:
                self._spool = open_at(artifact_dir / SPOOL_NAME, start.position.archive_received)

    def save(self) -> int | None:
        """Write out everything; return the size of `stdout` in bytes, or None if it is not ours."""
        with self._writing:
            if self._spool:
                self._spool.flush()
            return self._stdout.tell() if self._stdout else None

    def write_event(self, name: str, content: bytes) -> None:
        """Have the file of an event written, in place of one of that name; it is complete after `finish_events`.

        Args:
            name: its name; no other event written since the last `finish_events` may have the same.
            content: all of it.
        """
        self._event_files.add(name, content)

    def finish_events(self) -> None:
        """Return once all event files are complete. If one could not be written, this and all later calls fail."""
        with self._writing:
            self._event_files.finish()

    def append_stdout(self, text: str) -> None:
        """Append to `stdout`, where readers see it at once."""
        if self._stdout:
            with self._writing:
                self._stdout.write(text.encode(errors="surrogatepass"))
                self._stdout.flush()

    def give_up_stdout(self) -> None:
        """Leave `stdout` to the worker, whose own has come; where it kept none, ours goes."""
        if self._stdout is None:
            return
        path = self._artifact_dir / "stdout"
        with self._writing:
            if os.path.samestat(path.lstat(), os.fstat(self._stdout.fileno())):
                path.unlink()
            self._stdout.close()
        self._stdout = None

    def begin_archive(self) -> None:
        """Open the spool of the archive."""
        with self._writing:
            self._spool = open_at(self._artifact_dir / SPOOL_NAME, 0)

    def write_archive(self, data: bytes) -> None:
        """Append to the archive."""
        assert self._spool is not None
        with self._writing:
            self._spool.write(data)

    def extract_archive(self) -> list[str]:
        """Extract the archive, which is complete; return what was left out, as `name: reason`.

        Raises:
            ArchiveError: it is damaged, hostile or too large; nothing of it was written.
        """
        assert self._spool is not None
        try:
            with self._writing:
                self._spool.flush()
                left_out = list(extract(self._spool, self._artifact_dir, self._rules))
            self.are_whole = True
            self.give_up_stdout()
            return left_out
        finally:
            self.drop_archive()

    def drop_archive(self) -> None:
        """Remove the spool."""
        if self._spool:
            with contextlib.suppress(OSError):  # a full disk; what it would not take is not wanted any more
                self._spool.close()
            self._spool = None
            (self._artifact_dir / SPOOL_NAME).unlink(missing_ok=True)

    def write_status(self, status: str) -> None:
        """Write the artifact `status` where the worker could not."""
        if read_status(self._artifact_dir) != status:
            with self._writing:
                write_atomically(self._artifact_dir / "status", status.encode())

    def close(self) -> None:
        """Close the files; what is written stays.

        What a full disk keeps from being written now was told before, or lies behind the last checkpoint.
        """
        for file in (self._stdout, self._spool):
            with contextlib.suppress(OSError):
                if file:
                    file.close()
        os.close(self._events)
