"""The exit code of a job that ended, and what else is to be said about its end."""

from __future__ import annotations

import logging

from receptor_runner.cli import messages
from receptor_runner.errors import ContactLost, WorkerFailed
from receptor_runner.outcome import HINT, Outcome, Status


def exit_code(outcome: Outcome) -> int:
    """Return the exit code of a job that ended; show its explanation, if there is one.

    Raises:
        WorkerFailed: the worker failed; the job has no verdict.
        ContactLost: the job is lost; how it ended will never be known.
    """
    if outcome.status is Status.LOST:
        raise ContactLost("the job is lost", cause=outcome.explanation)
    if not outcome.is_verdict:
        cause, _separator, hint = (outcome.explanation or "").partition(HINT)
        raise WorkerFailed("the worker reports an error", cause=cause or None, hint=hint or None)
    if outcome.explanation:
        level = logging.INFO if outcome.status is Status.SUCCESSFUL else logging.ERROR
        messages.note(f"{outcome.status}: {outcome.explanation}", level)
    return outcome.exit_code
