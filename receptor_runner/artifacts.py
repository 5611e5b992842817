"""The artifacts directory of a job: names, modes, atomic writes.

Layout and modes are ansible-runner's: `artifacts/<ident>/` holds `command`, `stdout`, `stderr`, `rc`, `status`,
`job_events/<counter>-<uuid>.json` and `fact_cache/`; directories are 0700, files 0600.
"""

from __future__ import annotations

import os
from pathlib import Path

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600

RECORD_NAME = "unit.json"
LOCK_NAME = "unit.lock"
SPOOL_NAME = "archive.part"
RESERVED_NAMES = frozenset({RECORD_NAME, LOCK_NAME, SPOOL_NAME})
"""Names in an artifacts directory that are ours: never packed, never taken from an archive."""


def make_directory(path: Path) -> Path:
    """Create `path` and its missing parents, each 0700 whatever the umask says."""
    missing = [path, *path.parents]
    for directory in reversed([entry for entry in missing if not entry.is_dir()]):
        directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    return path


def write_atomically(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Write a file 0600 so that a reader sees the old content or the new, never a part.

    Args:
        path: the file; its directory must exist.
        content: all of it.
        durable: whether it must also survive a power cut (fsync of file and directory).
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE), "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
