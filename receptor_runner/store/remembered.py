"""What this user's commands remember of workers: which have no store, and which files the others should have."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from receptor_runner.artifacts import write_atomically
from receptor_runner.system.directories import state_directories

_REFUSAL_COUNTS_FOR_S = 3600.0
"""A worker may be updated, or get other options: then it is asked again within the hour."""

_MOST_DIGESTS = 100_000
_DIGEST_SIZE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerMemory:
    """What is remembered of one worker, on disk, since each command is a process of its own.

    None of it is relied upon: a worker that lacks a file refuses the job before anything of it runs.

    Attributes:
        directory: where it is; None remembers nothing.
        worker: what identifies the worker: local node, target node, work type, parameters.
    """

    directory: Path | None
    worker: tuple[str, ...]

    def note_refusal(self) -> None:
        """Remember that the worker has no store."""
        self._write("without-store", b"")

    @property
    def refuses(self) -> bool:
        """Whether the worker had no store when it was last asked, not long ago."""
        try:
            path = self._path("without-store")
            return path is not None and time.time() - path.lstat().st_mtime < _REFUSAL_COUNTS_FOR_S
        except OSError:
            return False

    def note_kept(self, digests: Iterable[bytes]) -> None:
        """Remember that the worker has some files, beside those that it had before; the oldest are forgotten."""
        merged = dict.fromkeys([*digests, *self._digests()])
        self._write("with-files", b"".join(list(merged)[:_MOST_DIGESTS]))

    @property
    def kept(self) -> frozenset[bytes]:
        """The digests of the files that the worker should have."""
        return frozenset(self._digests())

    def forget_kept(self) -> None:
        """Forget which files the worker has: it turned out to lack one of them."""
        with contextlib.suppress(OSError):
            if path := self._path("with-files"):
                path.unlink(missing_ok=True)

    def _digests(self) -> list[bytes]:
        try:
            path = self._path("with-files")
            data = path.read_bytes() if path else b""
        except OSError:
            return []
        return [data[start : start + _DIGEST_SIZE] for start in range(0, len(data), _DIGEST_SIZE)]

    def _write(self, kind: str, data: bytes) -> None:
        with contextlib.suppress(OSError):
            if path := self._path(kind):
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_atomically(path, data)

    def _path(self, kind: str) -> Path | None:
        name = hashlib.sha256("\0".join(self.worker).encode()).hexdigest()
        return self.directory / kind / name if self.directory else None


def remembered(*worker: str) -> WorkerMemory:
    """Return what this user's commands remember of a worker.

    Args:
        worker: what identifies it: local node, target node, work type, parameters.
    """
    place = next(iter(state_directories()), None)
    return WorkerMemory(directory=place / "workers" if place else None, worker=worker)
