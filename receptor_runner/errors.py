"""All errors, as one tree.

    RunnerError                 70  the root; raised itself only for a bug of ours
    ├── UsageError              64  the call makes no sense
    ├── StreamError             65  a stream that is damaged or incomplete
    │   ├── ArchiveError        65  an archive inside a stream that cannot be extracted safely
    │   └── InputFailed         65  the stream could not be read on this side
    ├── MissingInput            66  a directory or file that must be there is not
    ├── NodeUnavailable         69  no node, no mesh, no such node or work type
    │   ├── Unreachable         69  no answer; trying again may help
    │   ├── Rejected            69  the node answered and refused; trying again cannot help
    │   ├── NeverStarted        69  the node took the job but could not start it; nothing of it ran
    │   └── UnknownUnit         69  the node does not know that unit
    ├── IdentExists             73  an ident that is taken by another job
    ├── OutputFailed            74  writing failed (a closed output, a full disk)
    ├── ContactLost             75  the job may still be running, contact is lost
    ├── WorkerFailed            76  the worker reports an error of its own
    ├── ConfigError             78  a configuration file that cannot be used
    └── Interrupted         130/143  we were asked to stop

The numbers are exit codes (sysexits.h); docs/exit-codes.md is the table for users.
"""

from __future__ import annotations

TYPE_CHECKING = (
    False  # errors are imported by everything: typing alone takes as long as the rest of this module
)
if TYPE_CHECKING:
    from typing import Self


class RunnerError(Exception):
    """An error with a cause in the peer's words and a hint that names a command.

    Args:
        what: what failed, with the name of the thing.
        cause: the underlying reason, as the peer, the system or the parser said it.
        hint: what to do next, preferably a command to run.
    """

    exit_code = 70

    def __init__(self, what: str, *, cause: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.cause = cause
        self.hint = hint

    def with_hint(self, hint: str) -> Self:
        """Return a copy of this error, of the same class and with the same facts, with another hint."""
        import copy

        error = copy.copy(self)
        error.hint = hint
        return error

    def __str__(self) -> str:
        return self.what if self.cause is None else f"{self.what}: {self.cause}"

    def lines(self) -> list[str]:
        """Return the error as a person reads it: at most three lines."""
        shown = [f"error: {_one_line(self.what)}"]
        if self.cause:
            shown.append(f"  cause: {_one_line(self.cause)}")
        if self.hint:
            shown.append(f"  hint: {_one_line(self.hint)}")
        return shown


def pasteable(*words: object) -> str:
    """Return a command line for a hint: pasted into a shell it has these words, whatever is in them.

    Args:
        words: the words; paths and numbers too.
    """
    return " ".join(_quoted(str(word)) for word in words)


def _quoted(word: str) -> str:
    import shlex

    if word.isprintable():
        return shlex.quote(word)
    import os

    # A hint is one line of printable text, so what is not is written as bash, zsh and ksh read it.
    escapes = (
        char
        if char.isprintable() and char not in "'\\"
        else "".join(f"\\x{byte:02x}" for byte in os.fsencode(char))
        for char in word
    )
    return f"$'{''.join(escapes)}'"


def _one_line(text: str) -> str:
    """Return a text as one line that is safe to show: a worker's words may hold control characters."""
    line = " ".join(part for piece in text.splitlines() if (part := piece.strip()))
    return "".join(char if char.isprintable() else " " if char == "\t" else "?" for char in line)


class UsageError(RunnerError):
    """The call makes no sense: an option that is unknown, missing or contradictory."""

    exit_code = 64


class StreamError(RunnerError):
    """A stream that is damaged or incomplete.

    Args:
        offset: the byte of the stream at which this was noticed, if known.
    """

    exit_code = 65

    def __init__(
        self, what: str, *, cause: str | None = None, hint: str | None = None, offset: int | None = None
    ) -> None:
        super().__init__(what, cause=cause, hint=hint)
        self.offset = offset


class ArchiveError(StreamError):
    """An archive that is damaged, or that would write outside its target."""


class InputFailed(StreamError):
    """The stream could not be read on this side: nothing is known about the side that writes it."""


class MissingInput(RunnerError):
    """A directory or file that must be there is not."""

    exit_code = 66


class NodeUnavailable(RunnerError):
    """No node answers, or it does not lead to the wanted node."""

    exit_code = 69


class Unreachable(NodeUnavailable):
    """The node gave no answer; trying again may help."""


class Rejected(NodeUnavailable):
    """The node answered and refused; trying again cannot help."""


class NeverStarted(NodeUnavailable):
    """A node took the job but could not start it, there or on the node behind it; nothing of it ran."""


class UnknownUnit(NodeUnavailable):
    """The node does not know that unit: it was released, or never existed."""


class IdentExists(RunnerError):
    """The ident belongs to another job, or to one that has ended."""

    exit_code = 73


class OutputFailed(RunnerError):
    """Writing failed: a closed output, a full disk, a missing permission."""

    exit_code = 74


class ContactLost(RunnerError):
    """The job may still be running, but contact with it is lost."""

    exit_code = 75


class WorkerFailed(RunnerError):
    """The worker reports an error of its own; the job has no verdict."""

    exit_code = 76


class ConfigError(RunnerError):
    """A configuration file that cannot be used."""

    exit_code = 78


class Interrupted(RunnerError):
    """We were asked to stop, by Ctrl-C (130) or SIGTERM (143)."""

    exit_code = 130

    def __init__(
        self, what: str, *, signal_number: int = 2, cause: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(what, cause=cause, hint=hint)
        self.exit_code = 128 + signal_number
