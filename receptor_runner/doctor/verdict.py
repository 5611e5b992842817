"""What a step of the doctor finds, as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from receptor_runner.errors import ConfigError, NeverStarted, OutputFailed, Rejected, RunnerError, UsageError


class State(StrEnum):
    """How a step ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Fault(IntEnum):
    """What kind of thing is wrong; the values are the exit codes of docs/exit-codes.md."""

    UNREACHABLE = 69
    MISCONFIGURED = 78


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a step found.

    Attributes:
        state: how it ended.
        summary: what was found, in one line; for a skipped step, why it was skipped.
        facts: the same for programs.
        hint: what to do, with a command to run.
        fault: what kind of thing is wrong; only of a failed step.
        needs: the step that it waited for; only of a skipped step.
    """

    state: State
    summary: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    hint: str | None = None
    fault: Fault | None = None
    needs: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A step that was taken, or skipped.

    Attributes:
        subject: what was checked: this machine, the local node, or a node by its id.
        step: the name of the step.
        verdict: what it found.
        duration_s: how long it took.
    """

    subject: str
    step: str
    verdict: Verdict
    duration_s: float


_NO_FACTS: Mapping[str, Any] = {}


def ok(summary: str, facts: Mapping[str, Any] = _NO_FACTS) -> Verdict:
    """Return the verdict of a step that found nothing wrong."""
    return Verdict(state=State.OK, summary=summary, facts=facts)


def warning(summary: str, hint: str, facts: Mapping[str, Any] = _NO_FACTS) -> Verdict:
    """Return the verdict of a step that found something that works now and may not work later."""
    return Verdict(state=State.WARNING, summary=summary, hint=hint, facts=facts)


def failed(summary: str, fault: Fault, hint: str, facts: Mapping[str, Any] = _NO_FACTS) -> Verdict:
    """Return the verdict of a step that found something that keeps jobs from running."""
    return Verdict(state=State.FAILED, summary=summary, fault=fault, hint=hint, facts=facts)


def skipped(reason: str, hint: str | None = None, *, needs: str | None = None) -> Verdict:
    """Return the verdict of a step that was not taken.

    Args:
        reason: why.
        hint: what would make it possible.
        needs: the earlier step that failed or was skipped, if that is the reason.
    """
    return Verdict(state=State.SKIPPED, summary=reason, hint=hint, needs=needs)


def failed_by(error: RunnerError, hint: str = "repeat with --debug") -> Verdict:
    """Return the verdict of a step that an error ended.

    Args:
        error: what ended it.
        hint: what to do if the error does not say.
    """
    is_configuration = isinstance(error, ConfigError | UsageError | Rejected | NeverStarted | OutputFailed)
    fault = Fault.MISCONFIGURED if is_configuration else Fault.UNREACHABLE
    return failed(" ".join(str(error).split()), fault, error.hint or hint)


def exit_code(results: Iterable[Result]) -> int:
    """Return 0 if no step failed, 69 if something is unreachable, else 78."""
    faults = [result.verdict.fault for result in results if result.verdict.fault]
    return min(faults, default=0)
