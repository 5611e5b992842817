"""Writes a file that a command makes for a person, who may have one of that name already."""

from __future__ import annotations

from pathlib import Path

from receptor_runner.errors import OutputFailed

PRIVATE, SHARED = 0o600, 0o644


def write_new(path: Path, text: str, *, mode: int = SHARED, force: bool) -> None:
    """Write a file.

    Args:
        path: the file.
        text: all of it.
        mode: its permissions.
        force: replace one that is there.

    Raises:
        OutputFailed: it is there, or cannot be written.
    """
    from receptor_runner.artifacts import write_atomically

    if path.exists() and not force:
        raise OutputFailed(f"{path} already exists", hint="--force replaces it")
    try:
        write_atomically(path, text.encode())
        path.chmod(mode)
    except OSError as failure:
        raise OutputFailed(f"cannot write {path}", cause=failure.strerror) from failure
