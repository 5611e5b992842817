"""What a person sees: messages, log lines and the output of a job."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any

import click

from receptor_runner.errors import OutputFailed, RunnerError

log = logging.getLogger("receptor_runner")

_PROGRESS_PAUSE_S = 0.2
_RED, _YELLOW, _RESET = "\x1b[31m", "\x1b[33m", "\x1b[0m"


def wants_colour(stream: Any) -> bool:
    """Decide on colour: NO_COLOR, then FORCE_COLOR, then TERM=dumb, then whether it is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()


def fill_closed_streams() -> None:
    """Put /dev/null where stdin, stdout or stderr is closed, so that no other file gets its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - for as long as the process lives


def note(text: str) -> None:
    """Say something to the person, on stderr; a worker's words in it may hold control characters."""
    if _speaks_json():
        log.info(text)
    else:
        click.echo(_safe(text), err=True)


def note_at_once(text: str) -> None:
    """Say something from a signal handler, which may run in the middle of another output."""
    line = _JsonFormatter().format(_record(text)) if _speaks_json() else text
    with contextlib.suppress(OSError):
        os.write(2, line.encode() + b"\n")


def _record(text: str) -> logging.LogRecord:
    return logging.LogRecord(log.name, logging.INFO, __file__, 0, text, None, None)


def _speaks_json() -> bool:
    """Whether stderr is for programs: every line on it is one JSON object then."""
    return any(isinstance(handler.formatter, _JsonFormatter) for handler in log.handlers)


def _safe(text: str) -> str:
    return "".join(char if char.isprintable() or char in "\n\t" else "?" for char in text)


def error(failure: RunnerError) -> int:
    """Show an error in at most three lines; return its exit code."""
    if log.isEnabledFor(logging.DEBUG):
        note("".join(traceback.format_exception(failure)).rstrip())
    if _speaks_json():
        facts = {"cause": failure.cause, "hint": failure.hint, "exit_code": failure.exit_code}
        log.error(failure.what, extra={"facts": facts})
        return failure.exit_code
    first, *others = failure.lines()
    if wants_colour(sys.stderr):
        first = first.replace("error:", f"{_RED}error:{_RESET}", 1)
    click.echo("\n".join([first, *others]), err=True)
    return failure.exit_code


def bug(failure: Exception) -> int:
    """Show an error that nobody foresaw."""
    return error(
        RunnerError(
            "an unexpected error, a bug of receptor-runner",
            cause=f"{type(failure).__name__}: {failure}",
            hint="receptor-runner --debug ... shows where; please report it",
        ).with_traceback(failure.__traceback__)
    )


def data(value: Any) -> None:
    """Print one JSON object for a program to read, on stdout."""
    click.echo(json.dumps(value, default=str))


def table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows of equal length with aligned columns, on stdout."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    """Print our version and those of what we stand on."""
    if not wanted or context.resilient_parsing:
        return
    from importlib import metadata

    from receptor_runner._version import __version__

    click.echo(f"receptor-runner {__version__}")
    for name in ("ansible-core", "receptorctl"):
        click.echo(f"{name} {metadata.version(name)}")
    context.exit()


version = click.option(
    "--version",
    is_flag=True,
    callback=print_version,
    expose_value=False,
    is_eager=True,
    help="Show the versions of this and of what it stands on.",
)


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _safe(super().format(record))


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields | getattr(record, "facts", {}))


def start_logging(*, debug: bool, log_format: str = "text", logfile: str | None = None) -> None:
    """Send our log lines to stderr, or to a file; other loggers stay as they are.

    Raises:
        OutputFailed: the file cannot be written.
    """
    try:
        handler = logging.FileHandler(logfile) if logfile else logging.StreamHandler(sys.stderr)
    except OSError as failure:
        raise OutputFailed(f"cannot write the log file {logfile}", cause=failure.strerror) from failure
    if log_format == "json":
        handler.setFormatter(_JsonFormatter())
    else:
        handler.setFormatter(_TextFormatter("%(levelname)s: %(message)s"))
    logging.addLevelName(logging.ERROR, "error")
    logging.addLevelName(logging.WARNING, "warning")
    logging.addLevelName(logging.INFO, "info")
    logging.addLevelName(logging.DEBUG, "debug")
    log.handlers = [handler]
    log.propagate = False
    log.setLevel(logging.DEBUG if debug else logging.INFO)


def set_log_level(name: str) -> None:
    """Show log lines of this level and above: error, warning, info or debug; --debug shows more all the same."""
    if log.level > logging.DEBUG:
        log.setLevel(name.upper())


class UploadProgress:
    """A line on a terminal that says how far an upload is, once it takes longer than a second."""

    def __init__(self) -> None:
        self._began = self._shown_at = time.monotonic()
        self._is_shown = False
        self._is_seen = sys.stderr.isatty() and not _speaks_json()

    def tell(self, sent: int, size: int) -> None:
        """Take how many bytes of how many are sent."""
        now = time.monotonic()
        if sent >= size:
            self._clear()
        elif self._is_seen and now - self._began > 1 and now - self._shown_at > _PROGRESS_PAUSE_S:
            self._shown_at, self._is_shown = now, True
            share, mib = 100 * sent // size, 1 << 20
            click.echo(f"\rsent {sent // mib} of {size // mib} MiB ({share} %)", err=True, nl=False)

    def _clear(self) -> None:
        if self._is_shown:
            click.echo("\r\x1b[K", err=True, nl=False)
            self._is_shown = False


class JobOutput:
    """The output of a job on stdout; a reader that goes away does not harm the artifacts."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self.failure: OSError | None = None

    def show(self, text: str) -> None:
        """Print a piece of the job's output at once."""
        if self._quiet or self.failure:
            return
        try:
            sys.stdout.buffer.write(text.encode(errors="surrogateescape"))
            sys.stdout.buffer.flush()
        except UnicodeEncodeError:
            self.show(text.encode("ascii", "backslashreplace").decode())
        except OSError as failure:
            self.failure = failure
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the interpreter flushes stdout when it exits

    def check(self) -> None:
        """Raise OutputFailed if something could not be shown."""
        if self.failure:
            raise OutputFailed("cannot write to stdout", cause=self.failure.strerror) from self.failure
