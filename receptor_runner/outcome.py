"""How a job ends: its status, its return code, and the exit code that tells the truth about both."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """The states of a job, in ansible-runner's words, and two of our own for what only Receptor knows."""

    STARTING = "starting"
    RUNNING = "running"
    SUCCESSFUL = "successful"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELED = "canceled"
    ERROR = "error"
    LOST = "lost"


VERDICTS = frozenset({Status.SUCCESSFUL, Status.FAILED, Status.TIMEOUT, Status.CANCELED})
"""The statuses with which a worker says how the job itself ended."""

HINT = "; hint: "
"""What stands in an explanation before the hint, if it has one."""

RC_STOPPED = 254
"""The return code of a job that was stopped, by a timeout or a cancel (ansible-runner's number)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of a job.

    Attributes:
        status: the final status.
        rc: the return code as the worker recorded it, or None where it recorded none.
        explanation: why, where the status alone does not say.
        warnings: what is wrong with the artifacts, although they were written: what was left out of them, or
            contradicts something else.
    """

    status: Status
    rc: int | None = None
    explanation: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def is_verdict(self) -> bool:
        """Whether the job itself ended, well or badly, rather than something around it."""
        return self.status in VERDICTS

    @property
    def exit_code(self) -> int:
        """The exit code of a command that ran this job to a verdict.

        A job's own return code as recorded, in the range that an exit code has; a failed one without any is 1; a
        stopped one 254.
        """
        if self.status is Status.SUCCESSFUL:
            return self._code or 0
        if self.status in {Status.TIMEOUT, Status.CANCELED}:
            return self._code or RC_STOPPED
        if self.status is Status.FAILED:
            return self._code or 1
        return 75 if self.status is Status.LOST else 76

    @property
    def _code(self) -> int:
        """The return code as an exit code: 128+n where it is -n, a signal; the system would cut 256 down to 0."""
        code = self.rc or 0
        return min(128 - code if code < 0 else code, 255)
