"""What the linter reports: one finding, one value, with its line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How bad a finding is.

    ERROR: the daemon or a part of it does not start, jobs fail, or data is lost.
    WARNING: a trap that the daemon does not report.
    NOTE: advice.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fact about a config file.

    Args:
        file: the name of the file as given; "" until the file is known.
        line: counted from 1.
        severity: see Severity.
        code: a short stable name, such as `unknown-key`.
        message: the fact, in one sentence.
        hint: what to do about it, if anything.
    """

    file: str = ""
    line: int
    severity: Severity
    code: str
    message: str
    hint: str | None = None

    def as_dict(self) -> dict[str, str | int | None]:
        """Return the finding as plain data, for JSON."""
        return {
            "file": self.file,
            "line": self.line,
            "severity": self.severity.value,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
        }


def error(code: str, line: int, message: str, hint: str | None = None) -> Finding:
    """Return a finding that must be fixed."""
    return Finding(line=line, severity=Severity.ERROR, code=code, message=message, hint=hint)


def warning(code: str, line: int, message: str, hint: str | None = None) -> Finding:
    """Return a finding about a trap."""
    return Finding(line=line, severity=Severity.WARNING, code=code, message=message, hint=hint)


def note(code: str, line: int, message: str, hint: str | None = None) -> Finding:
    """Return advice."""
    return Finding(line=line, severity=Severity.NOTE, code=code, message=message, hint=hint)
