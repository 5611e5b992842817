"""Writes many files as one step: all of them are complete on disk before the first one takes its place."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.artifacts import draft_of, sync_directory, write_draft
from receptor_runner.errors import OutputFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PRIVATE, SHARED = 0o600, 0o644
_DIRECTORY = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file to be.

    Args:
        content: all of it.
        mode: its permissions.
    """

    content: bytes
    mode: int = SHARED


@contextlib.contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Keep other runs out of a directory; it is made if it is missing, and removed again if it stays empty.

    Raises:
        OutputFailed: the directory cannot be made, or another run uses it.
    """
    existed = directory.is_dir()
    try:
        directory.mkdir(mode=_DIRECTORY, parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as failure:
        raise OutputFailed(f"cannot write to {directory}", cause=failure.strerror) from failure
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as failure:
            raise OutputFailed(f"{directory} is in use by another process") from failure
        yield
    finally:
        os.close(descriptor)
        if not existed:
            with contextlib.suppress(OSError):
                directory.rmdir()


def write_tree(directory: Path, files: Mapping[str, File]) -> tuple[str, ...]:
    """Write files; those that are there with the same content and mode are not touched.

    Args:
        directory: where they go.
        files: by path below it.

    Returns:
        The paths that were written, in order.

    Raises:
        OutputFailed: one cannot be written; then every file is as it was. Or one cannot take its place, although it is
            written: then those before it are new.
    """
    # Through links: a person may keep the authority's key on another disk, where it then stays.
    targets = {name: Path(os.path.realpath(directory / name)) for name in files}
    changed = {name: file for name, file in files.items() if not _is_there(targets[name], file)}
    made: list[Path] = []
    drafts: dict[Path, Path] = {}
    try:
        for name, file in changed.items():
            _write_draft(targets[name], file, drafts, made)
    except OSError as failure:
        _undo(drafts, made)
        raise OutputFailed(f"cannot write to {directory}", cause=_cause(failure)) from failure
    except BaseException:
        _undo(drafts, made)
        raise
    _put_in_place(directory, drafts)
    return tuple(changed)


def _put_in_place(directory: Path, drafts: dict[Path, Path]) -> None:
    left, parents = dict(drafts), {path.parent for path in drafts}
    try:
        for path, draft in drafts.items():
            draft.replace(path)
            del left[path]
        for parent in parents:
            sync_directory(parent)
    except OSError as failure:
        old = ", ".join(str(path) for path in left) or "none"
        what = f"not all files in {directory} are new"
        raise OutputFailed(what, cause=f"{_cause(failure)}; as before: {old}") from failure
    finally:
        _undo(left, [])


def _is_there(path: Path, file: File) -> bool:
    try:
        status = path.stat()
        is_same = stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) == file.mode
        return is_same and path.read_bytes() == file.content
    except OSError:
        return False


def _write_draft(path: Path, file: File, drafts: dict[Path, Path], made: list[Path]) -> None:
    """Write a file beside the one that it will replace; note it, and the directories that were missing above it."""
    for parent in reversed(path.parents):
        if not parent.is_dir():
            parent.mkdir(mode=_DIRECTORY)
            made.append(parent)
    if path.is_dir():  # noticed only now, the replacing would fail half-way
        raise IsADirectoryError(errno.EISDIR, "a directory is in the way", str(path))
    draft = drafts[path] = draft_of(path)
    write_draft(draft, file.content, durable=True, mode=file.mode)


def _undo(drafts: Mapping[Path, Path], made: list[Path]) -> None:
    for draft in drafts.values():
        with contextlib.suppress(OSError):
            draft.unlink()
    for parent in reversed(made):
        with contextlib.suppress(OSError):
            parent.rmdir()


def _cause(failure: OSError) -> str:
    return f"{failure.strerror}: {failure.filename}" if failure.filename else str(failure.strerror)
