"""Files that may be anything, and whole directory trees."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from receptor_runner.errors import MissingInput, pasteable

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""The numbers of the errors of a disk, or of a quota, that is used up."""

_ALL = os.R_OK | os.W_OK | os.X_OK

_AT_ONCE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_NO_FILE = {errno.ENXIO, errno.ENODEV, errno.ENOTDIR, errno.ELOOP}
"""What the system says of a socket, of a device without a driver, of a name below a file, and of links in a circle."""


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file, or one that a link leads to, to read it.

    To open a FIFO that nobody writes to takes for ever, and so does the reading of some devices.

    Raises:
        FileNotFoundError: there is none; what is there may be something else.
        OSError: it cannot be read.
    """
    try:
        descriptor = os.open(path, _AT_ONCE)
    except OSError as error:
        if error.errno in _NO_FILE:
            raise _no_file(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_file(path)
    return open(descriptor, "rb")


def _no_file(path: Path) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "no regular file", str(path))


def read_regular(path: Path) -> bytes | None:
    """Return what `open_regular` reads, or None where there is no regular file.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with open_regular(path) as file:
            return file.read()
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def reading(directory: Path) -> Iterator[None]:
    """Turn what the system says about a look below `directory` into our error.

    Raises:
        MissingInput: something cannot be looked at; it is the directory that is closed, if one is.
    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOENT and not error.filename:  # the current directory, which is gone
            raise
        path = closed_directory(Path(os.fsdecode(error.filename or directory)))
        cause = error.strerror or str(error)
        raise MissingInput(f"cannot read {path}", cause=cause, hint=pasteable("ls", "-ld", path)) from error


def closed_directory(path: Path) -> Path:
    """Return the first directory on the way to a path that does not let us through, else the path."""
    for parent in reversed(path.parents):
        if not os.access(parent, os.X_OK):
            return parent
    return path


def remove_tree(directory: Path, *, check: bool = False) -> None:
    """Remove a directory and everything in it, read-only directories too.

    Args:
        directory: it need not exist.
        check: raise if something cannot be removed, instead of leaving it.

    Raises:
        OSError: with `check`, for the first entry that could not be removed.
    """
    import shutil  # an embedded node starts for each job, and needs it only at its end

    _make_writable(directory)
    for parent, names, _files in os.walk(directory):
        for name in names:
            _make_writable(Path(parent, name))
    # Jobs may still be writing, and cleaners of /tmp be removing: entries come and go meanwhile.
    shutil.rmtree(directory, ignore_errors=True)
    if check and os.path.lexists(directory):
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(directory)


def _make_writable(directory: Path) -> None:
    if not directory.is_symlink() and not os.access(directory, _ALL):
        with contextlib.suppress(OSError):
            directory.chmod(0o700)
