"""What goes to stdout: lines, tables and JSON."""

from __future__ import annotations

import errno
import os
import stat
import sys

from receptor_runner.errors import OutputFailed

TYPE_CHECKING = (
    False  # typing and collections.abc would cost more than this module, at each start of a worker
)
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from receptor_runner.errors import RunnerError

_CANNOT_WRITE = frozenset({errno.EBADF, errno.EIO, errno.ENOSPC, errno.EPIPE})


def fill_closed_streams() -> None:
    """Open /dev/null where stdin, stdout or stderr is closed, so that no other file gets its number.

    Stdout is opened for reading only: writing to it fails, as it does where it is closed. A job's results must not
    disappear into /dev/null with exit code 0.
    """
    for name, flags, mode in (
        ("stdin", os.O_RDONLY, "r"),
        ("stdout", os.O_RDONLY, "w"),
        ("stderr", os.O_WRONLY, "w"),
    ):
        if getattr(sys, name) is None:
            # The lowest free number, which is the one of the closed stream.
            descriptor = os.open(os.devnull, flags)
            os.set_inheritable(descriptor, True)
            setattr(sys, name, open(descriptor, mode, closefd=False))  # noqa: SIM115 - for the whole process


def give_up_stdout() -> None:
    """Drop what stdout could not take: else the interpreter tries again when it exits, and fails with 120."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for the rest of the process


def give_up_stderr() -> None:
    """Drop what stderr could not take, likewise."""
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for the rest of the process


def cannot_write(failure: OSError) -> OutputFailed:
    """Return the error for a stdout that takes no more."""
    cause = "its reader is gone" if isinstance(failure, BrokenPipeError) else failure.strerror
    return OutputFailed("cannot write to stdout", cause=cause)


def is_output_failure(failure: OSError) -> bool:
    """Return whether an error of click's own printing says that stdout takes no more; a pipe's disk is never full."""
    if failure.errno == errno.ENOSPC and not _is_on_disk(sys.stdout):
        return False
    return failure.errno in _CANNOT_WRITE and failure.filename is None


def _is_on_disk(stream: Any) -> bool:
    """Whether writing to a stream may find the disk full: a file, or the device that always says so."""
    try:
        return not (stream.isatty() or stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode))
    except (OSError, ValueError):
        return False


def line(text: str) -> None:
    """Print a line.

    Raises:
        OutputFailed: stdout is closed, its reader is gone, or its disk is full.
    """
    write(text + "\n")


def write(text: str) -> None:
    """Print a text as it is.

    Raises:
        OutputFailed: stdout is closed, its reader is gone, or its disk is full.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except UnicodeEncodeError:
        write(text.encode("ascii", "backslashreplace").decode())
    except OSError as failure:
        give_up_stdout()
        raise cannot_write(failure) from failure


def json_line(value: Any) -> str:
    """Return one JSON object for a program, as a line."""
    import json

    return json.dumps(value, default=str) + "\n"


class _Promise:
    """Whether a program waits for a JSON object on stdout: then there is one, whatever happens."""

    is_open = False


def promise_object(wanted: bool = True) -> None:
    """Note that a program waits for a JSON object, or that none does."""
    _Promise.is_open = wanted


def data(value: Any) -> None:
    """Print one JSON object for a program."""
    _Promise.is_open = False
    write(json_line(value))


def failure(error: RunnerError) -> None:
    """Print an error as a JSON object if a program still waits for one; it is on stderr too.

    Raises:
        OutputFailed: stdout takes no more.
    """
    if _Promise.is_open:
        facts = {"what": error.what, "cause": error.cause, "hint": error.hint, "exit_code": error.exit_code}
        data({"schema": 1, "verdict": False, "error": facts})


def table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows of equal length with aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
