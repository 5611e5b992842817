"""Whole directory trees."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""The numbers of the errors of a disk, or of a quota, that is used up."""

_ALL = os.R_OK | os.W_OK | os.X_OK


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
