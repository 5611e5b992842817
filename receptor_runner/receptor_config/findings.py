"""What the linter says: one finding is one value, bound to a line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How bad a finding is: an error breaks the daemon or jobs or costs data, a warning is a trap, a note is advice."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to know about a config file.

    Args:
        file: the file's name as it was given; "" until the file is known.
        line: counted from 1.
        severity: see Severity.
        code: a short stable name, such as `unknown-key`.
        message: what is so, in a sentence.
        hint: what to do about it, if there is something to say.
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
    """Return a finding that breaks the daemon or jobs, or costs data."""
    return Finding(line=line, severity=Severity.ERROR, code=code, message=message, hint=hint)


def warning(code: str, line: int, message: str, hint: str | None = None) -> Finding:
    """Return a finding that is a trap."""
    return Finding(line=line, severity=Severity.WARNING, code=code, message=message, hint=hint)


def note(code: str, line: int, message: str, hint: str | None = None) -> Finding:
    """Return a finding that is advice."""
    return Finding(line=line, severity=Severity.NOTE, code=code, message=message, hint=hint)
