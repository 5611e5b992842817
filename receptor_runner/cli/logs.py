"""Log lines: where they go and how they look."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import TextIO

from receptor_runner.cli import output
from receptor_runner.cli.live.bottom_line import moved_aside
from receptor_runner.errors import OutputFailed

log = logging.getLogger("receptor_runner")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """Where log lines go and how they look.

    Attributes:
        debug: log everything, and show tracebacks.
        log_format: "text" or "json".
        logfile: a file instead of stderr.
    """

    debug: bool = False
    log_format: str = "text"
    logfile: str | None = None


def printable(text: str) -> str:
    """Return a text without control characters, which may come from a worker and could drive the terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "?" for char in text)


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        fields = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        import json

        return json.dumps(fields | getattr(record, "facts", {}))


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to whatever stderr is at the moment; a stderr that fails costs the line, never the job."""

    def emit(self, record: logging.LogRecord) -> None:
        if sys.stderr is not None:
            self.stream = sys.stderr
            with moved_aside():
                super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        if isinstance(sys.exc_info()[1], OSError):
            output.give_up_stderr()
        else:
            super().handleError(record)


def start_logging(options: LogOptions) -> None:
    """Send our log lines to stderr or to a file; other loggers stay as they are.

    Raises:
        OutputFailed: the file cannot be written.
    """
    try:
        handler = logging.FileHandler(options.logfile) if options.logfile else _Stderr(sys.stderr)
    except OSError as failure:
        raise OutputFailed(
            f"cannot write the log file {options.logfile}", cause=failure.strerror
        ) from failure
    if options.log_format == "json":
        handler.setFormatter(JsonFormatter())
    elif options.logfile:
        handler.setFormatter(_TextFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    else:
        handler.setFormatter(_TextFormatter("%(levelname)s: %(message)s"))
    for level in (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG):
        logging.addLevelName(level, logging.getLevelName(level).lower())
    for old in log.handlers:
        old.close()
    log.handlers = [handler]
    log.propagate = False
    log.setLevel(logging.DEBUG if options.debug else logging.INFO)


def start_by_default() -> None:
    """Send our log lines to stderr, unless an option has said where they go."""
    if not log.handlers:
        start_logging(LogOptions())


def set_log_level(name: str) -> None:
    """Show log lines of this level and above: error, warning, info or debug. With --debug all are shown anyway."""
    if log.level > logging.DEBUG:
        log.setLevel(name.upper())


def are_json() -> bool:
    """Return whether stderr is for programs: every line on it is a JSON object then."""
    return any(isinstance(handler.formatter, JsonFormatter) for handler in log.handlers)
