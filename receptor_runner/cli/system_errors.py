"""Errors that no other part of the program has explained: what the system says about a file, and bugs."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from receptor_runner.errors import MissingInput, OutputFailed, RunnerError, pasteable
from receptor_runner.system.files import FULL

_UNUSABLE = frozenset(
    {errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG}
)
_UNWRITABLE = FULL | {errno.EROFS}


def explained(failure: OSError) -> RunnerError | None:
    """Return the error for what the system said, None for what can only be a bug.

    Args:
        failure: an error that no other part of the program has explained.
    """
    if isinstance(failure.filename, str | bytes) and failure.filename:
        return _about(os.fsdecode(failure.filename), failure)
    if failure.errno == errno.ENOENT and not _has_current_directory():
        return MissingInput("the current directory does not exist any more", hint="cd to one that does")
    if failure.errno in _UNWRITABLE:
        return OutputFailed("cannot write a file", cause=failure.strerror, hint="df -h")
    return None


def bug(failure: Exception) -> RunnerError:
    """Return the error for what nobody foresaw."""
    return RunnerError(
        "unexpected error, a bug in receptor-runner",
        cause=f"{type(failure).__name__}: {failure}",
        hint="run the same command with --debug and report the traceback",
    ).with_traceback(failure.__traceback__)


def _about(name: str, failure: OSError) -> RunnerError | None:
    parent = Path(name).parent
    if failure.errno in _UNUSABLE:
        return MissingInput(f"cannot use {name}", cause=failure.strerror, hint=pasteable("ls", "-ld", parent))
    if failure.errno in _UNWRITABLE:
        return OutputFailed(
            f"cannot write {name}", cause=failure.strerror, hint=pasteable("df", "-h", parent)
        )
    return None


def _has_current_directory() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - whether there is one, not its path
    except OSError:
        return False
    return True
