"""What a person reads on stderr: notes, warnings and errors."""

from __future__ import annotations

import contextlib
import logging
import os
import sys

from receptor_runner.cli import color, logs, output
from receptor_runner.cli.live.bottom_line import moved_aside
from receptor_runner.errors import RunnerError

_RED, _RESET = "\x1b[31m", "\x1b[0m"


def note(text: str, level: int = logging.INFO) -> None:
    """Write a note to stderr. Where nobody can read it, it is lost: nothing else may fail for that.

    Args:
        text: the note.
        level: of what importance it is: with `--output quiet` only errors are written.
    """
    if not logs.log.isEnabledFor(level):
        return
    if logs.are_json():
        logs.log.log(level, text)
    else:
        _write(logs.printable(text))


def note_at_once(text: str) -> None:
    """Write a note from a signal handler, which may have interrupted another write to the same stream."""
    if not logs.log.isEnabledFor(logging.INFO):
        return
    line = logs.JsonFormatter().format(_record(text)) if logs.are_json() else text
    with contextlib.suppress(OSError), moved_aside():
        os.write(2, line.encode() + b"\n")


def _record(text: str) -> logging.LogRecord:
    return logging.LogRecord(logs.log.name, logging.INFO, __file__, 0, text, None, None)


def _write(text: str) -> None:
    try:
        with moved_aside():
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
    except OSError:
        output.give_up_stderr()


def error(failure: RunnerError) -> int:
    """Show an error in at most three lines; return its exit code."""
    if logs.log.isEnabledFor(logging.DEBUG):
        import traceback

        note("".join(traceback.format_exception(failure)).rstrip())
    if logs.are_json():
        facts = {"cause": failure.cause, "hint": failure.hint, "exit_code": failure.exit_code}
        logs.log.error(failure.what, extra={"facts": facts})
        return failure.exit_code
    first, *others = failure.lines()
    if color.is_wanted(sys.stderr):
        first = first.replace("error:", f"{_RED}error:{_RESET}", 1)
    _write("\n".join([first, *others]))
    return failure.exit_code
