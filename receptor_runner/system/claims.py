"""Marks private data directories that a worker created, and locks them while a job runs.

Neither adds a file to the directory, since callers compare its listing: the mark is an extended attribute, and the
claim is a lock on the directory itself, which ends with the process however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from receptor_runner.errors import OutputFailed
from receptor_runner.system.directories import PREFIX

_MARK = "user.receptor_runner.worker"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def mark(directory: Path) -> None:
    """Mark a directory as created by a worker, if the filesystem supports extended attributes."""
    with contextlib.suppress(OSError):
        os.setxattr(directory, _MARK, b"1")


def is_marked(directory: Path) -> bool:
    """Whether a worker created the directory: it is marked, or it is ours and has the name of a temporary one."""
    try:
        return bool(os.getxattr(directory, _MARK, follow_symlinks=False))
    except OSError:
        return _has_temporary_name(directory)


def _has_temporary_name(directory: Path) -> bool:
    is_temporary = directory.parent == Path(tempfile.gettempdir()).resolve()
    own = is_temporary and directory.name.startswith(PREFIX)
    return own and directory.lstat().st_uid == os.geteuid()


@contextlib.contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """Claim a directory for a job; several jobs may share one.

    On a filesystem without locks the job runs without a claim.

    Raises:
        OutputFailed: the directory was removed before it was claimed.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            descriptor = os.open(directory.resolve(), _DIRECTORY)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            # Between open and flock a clean-up may have removed the directory, and another job created it again.
            if not os.path.samestat(os.fstat(descriptor), directory.stat()):
                raise _removed(directory)
        if not directory.exists():
            raise _removed(directory)
        yield


def _removed(directory: Path) -> OutputFailed:
    return OutputFailed(
        f"the private data directory {directory} was removed before its job began",
        cause="a clean-up removed it",
        hint="clean up with a --grace-period",
    )


@contextlib.contextmanager
def unclaimed(directory: Path) -> Iterator[bool]:
    """Keep jobs out of a directory; yield whether no job runs in it.

    Raises:
        OSError: it cannot be opened, or its filesystem has no locks.
    """
    descriptor = os.open(directory, _DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
