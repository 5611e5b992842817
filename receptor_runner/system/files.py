"""Whole directory trees."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

_ALL = os.R_OK | os.W_OK | os.X_OK


def remove_tree(directory: Path) -> None:
    """Remove a directory with all that is in it, read-only directories too; what cannot be removed stays."""
    _make_writable(directory)
    for parent, names, _files in os.walk(directory):
        for name in names:
            _make_writable(Path(parent, name))
    shutil.rmtree(directory, ignore_errors=True)


def _make_writable(directory: Path) -> None:
    if not directory.is_symlink() and not os.access(directory, _ALL):
        with contextlib.suppress(OSError):
            directory.chmod(0o700)
