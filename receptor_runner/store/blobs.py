"""The store on a worker's disk: one file for each digest, private to the worker's user, verified whenever it is used.

Nothing in it is trusted: whoever runs jobs as the same user can change it. A file counts only if its content, hashed
again while it is copied, has the digest by which it is named.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from receptor_runner.errors import ArchiveError
from receptor_runner.store.policy import DEFAULT_LIMIT, Kept, superfluous
from receptor_runner.system.directories import state_directories

_CHUNK_SIZE = 1 << 18
_UNFINISHED = "new-"
_ABANDONED_AFTER_S = 3600.0
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A store.

    Attributes:
        directory: where it is.
        limit: bytes that it may hold after `trim`.
    """

    directory: Path
    limit: int = DEFAULT_LIMIT

    @property
    def is_private(self) -> bool:
        """Whether the directory belongs to this user, and nobody else may look into it."""
        try:
            status = self.directory.lstat()
        except OSError:
            return False
        is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
        return is_ours and not stat.S_IMODE(status.st_mode) & 0o077

    def has(self, digest: bytes, size: int | None = None) -> bool:
        """Return whether a file is there, as far as that can be seen without reading it; it then counts as used.

        Args:
            digest: its SHA-256.
            size: how many bytes it must have; None if that is not known.
        """
        path = self._path(digest)
        try:
            status = os.lstat(path)
            if not _is_ours(status) or size not in {None, status.st_size}:
                return False
            os.utime(path, follow_symlinks=False)
        except OSError:
            return False
        return True

    def pieces(self, digest: bytes) -> Iterator[bytes]:
        """Yield the content of a file, verified.

        Args:
            digest: its SHA-256.

        Raises:
            ArchiveError: it is gone or, after the last piece, its content turned out to be something else. Then it is
                removed.
        """
        path = self._path(digest)
        taken = hashlib.sha256()
        try:
            for piece in _read(path):
                taken.update(piece)
                yield piece
        except OSError as error:
            raise ArchiveError(f"the store has lost the file {digest.hex()}", cause=error.strerror) from error
        if taken.digest() != digest:
            with contextlib.suppress(OSError):
                path.unlink()
            raise ArchiveError(f"the store's file {digest.hex()} has been changed")

    def add(self, source: Path, digest: bytes) -> bool:
        """Copy a file into the store; return whether it is there now.

        A job may be changing the file meanwhile, so what was copied is kept only if it has the digest. For the same
        reason it is a copy: a job that writes to its file would change a hard link.

        Args:
            source: the file.
            digest: the SHA-256 that it should have.

        Raises:
            OSError: the store cannot be written.
        """
        if self.has(digest):
            return True
        path = self._path(digest)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=path.parent)
        unfinished = Path(name)
        try:
            with open(descriptor, "wb", buffering=0) as copy:
                is_same = _copy(source, copy.fileno()) == digest
            if is_same:
                unfinished.rename(path)
            return is_same
        finally:
            unfinished.unlink(missing_ok=True)

    def trim(self) -> None:
        """Remove the least recently used files until the rest fits, and what a killed worker left unfinished."""
        files = list(self._files())
        abandoned = time.time() - _ABANDONED_AFTER_S
        for file in files:
            if _is_unfinished(file) and file.used_at < abandoned:
                _remove(file)
        for file in superfluous((file for file in files if not _is_unfinished(file)), self.limit):
            _remove(file)

    def clear(self, *, dry_run: bool = False) -> int:
        """Remove everything; return how many bytes that were, or would be in a dry run."""
        files = list(self._files())
        for file in () if dry_run else files:
            _remove(file)
        return sum(file.size for file in files)

    def _path(self, digest: bytes) -> Path:
        name = digest.hex()
        return self.directory / name[:2] / name

    def _files(self) -> Iterator[Kept]:
        for parent in _entries(self.directory):
            for entry in _entries(parent.path) if parent.is_dir(follow_symlinks=False) else ():
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    yield Kept(entry.path, status.st_size, status.st_mtime)


def find_store() -> Store | None:
    """Return this user's store, which may not exist yet; None where a user has no place for it."""
    place = next(iter(state_directories()), None)
    return Store(directory=place / "store") if place else None


def open_store(limit: int = DEFAULT_LIMIT) -> Store | None:
    """Return this user's store; None where there is no place for it, or others could look into it.

    Args:
        limit: bytes that it may hold.
    """
    if (found := find_store()) is None:
        return None
    try:
        found.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return Store(directory=found.directory, limit=limit) if found.is_private else None


def _is_ours(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()


def _read(path: Path) -> Iterator[bytes]:
    """Yield the content of a regular file; anything else, or a link, is no file."""
    descriptor = os.open(path, _READ)
    try:
        if not _is_ours(os.fstat(descriptor)):
            raise FileNotFoundError(path)
        while piece := os.read(descriptor, _CHUNK_SIZE):
            yield piece
    finally:
        os.close(descriptor)


def _copy(source: Path, target: int) -> bytes | None:
    """Copy a file; return the digest of what was copied, None if the file is gone."""
    taken = hashlib.sha256()
    try:
        for piece in _read(source):
            taken.update(piece)
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(target, rest) :]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None  # the job has removed, replaced or closed it
    return taken.digest()


def _entries(directory: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_unfinished(file: Kept) -> bool:
    return Path(file.name).name.startswith(_UNFINISHED)


def _remove(file: Kept) -> None:
    Path(file.name).unlink(missing_ok=True)
