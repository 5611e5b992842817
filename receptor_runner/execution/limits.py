"""When a program is stopped: at a time, after silence, at a prompt that nobody answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from receptor_runner.execution.dialog import Dialog
from receptor_runner.execution.end import Cause

REPORT_PROMPT_S = 2.0
"""How long a prompt stands before it is reported: a password that matches answers it at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a program.

    Attributes:
        deadline: when it is stopped, by the monotonic clock; None for never.
        idle_timeout_s: after how many seconds without output; None for never.
        prompt_timeout_s: after how many seconds at a prompt that no password matches.
    """

    deadline: float | None
    idle_timeout_s: float | None
    prompt_timeout_s: float


class LimitWatch:
    """Notices when one program exceeds a limit.

    Args:
        limits: the limits.
        dialog: whether the program waits at a prompt.
        on_prompt: called with a prompt that no password matches, soon after it was printed.
    """

    def __init__(self, limits: Limits, dialog: Dialog, on_prompt: Callable[[str], None]) -> None:
        self._limits = limits
        self._dialog = dialog
        self._on_prompt = on_prompt
        self._has_reported_prompt = False
        self._last_output_at = time.monotonic()

    def output_arrived(self) -> None:
        """Note that the program is not silent."""
        self._last_output_at = time.monotonic()
        self._has_reported_prompt = False

    def exceeded(self) -> Cause | None:
        """Return which limit is exceeded now."""
        now = time.monotonic()
        if self._limits.deadline is not None and now >= self._limits.deadline:
            return Cause.JOB_TIMEOUT
        silence_s = now - self._last_output_at
        if self._limits.idle_timeout_s is not None and silence_s >= self._limits.idle_timeout_s:
            return Cause.IDLE_TIMEOUT
        return self._unanswered(silence_s)

    def _unanswered(self, silence_s: float) -> Cause | None:
        if silence_s < min(self._limits.prompt_timeout_s, REPORT_PROMPT_S) or not self._dialog.is_stuck:
            return None
        if silence_s >= self._limits.prompt_timeout_s:
            return Cause.UNANSWERED
        if not self._has_reported_prompt:
            self._has_reported_prompt = True
            self._on_prompt(self._dialog.last_line)
        return None
