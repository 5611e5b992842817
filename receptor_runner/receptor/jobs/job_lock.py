"""The lock of a job: one process at a time submits or follows it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from receptor_runner.artifacts import FILE_MODE, LOCK_NAME, make_directory, writing
from receptor_runner.errors import IdentExists, OutputFailed, pasteable
from receptor_runner.system.files import read_regular


class JobLock:
    """A lock file in the artifacts directory of a job, with the process id of its holder in it.

    Args:
        artifact_dir: the artifacts directory of the job.
        ident: the job, for errors.
    """

    def __init__(self, artifact_dir: Path, ident: str) -> None:
        self._artifact_dir = artifact_dir
        self._path = artifact_dir / LOCK_NAME
        self._ident = ident

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; the directory is made for it, and is gone afterwards if nothing else is in it.

        Raises:
            IdentExists: another process holds it.
            OutputFailed: the artifacts directory cannot be written.
        """
        try:
            make_directory(self._artifact_dir)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, FILE_MODE)
        except OSError as error:
            raise OutputFailed(f"cannot write {self._artifact_dir}", cause=error.strerror) from error
        try:
            self._take(descriptor)
            try:
                yield
            finally:
                self._drop_if_empty()
        finally:
            os.close(descriptor)

    def is_held(self) -> bool:
        """Return whether another process submits or follows the job right now.

        Taking the lock to find out would make that process fail, so the holder that it names is looked up instead.
        """
        with contextlib.suppress(OSError, ValueError):
            lock = self._path.stat()
            holder = int(read_regular(self._path) or b"")
            for descriptor in Path(f"/proc/{holder}/fd").iterdir():
                with contextlib.suppress(OSError):  # closed in the meantime
                    if os.path.samestat(descriptor.stat(), lock):
                        return True
        return False

    def _drop_if_empty(self) -> None:
        """Leave no directory behind for a job that was never submitted."""
        with contextlib.suppress(OSError):
            if [entry.name for entry in self._artifact_dir.iterdir()] == [LOCK_NAME]:
                self._path.unlink()
                self._artifact_dir.rmdir()
                self._artifact_dir.parent.rmdir()

    def _take(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(descriptor), self._path.stat()):
                # Its last holder has removed the file in the meantime: others would lock a new one.
                raise FileNotFoundError
        except (BlockingIOError, FileNotFoundError) as error:
            holder = os.pread(descriptor, 32, 0).decode().strip() or "unknown"
            raise IdentExists(
                f"the job `{self._ident}` is held by another process",
                cause=f"process {holder} submits or follows it",
                hint=pasteable("tail", "-f", self._artifact_dir / "stdout"),
            ) from error
        with writing(self._artifact_dir):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
