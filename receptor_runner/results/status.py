"""The statuses of a job as they come, and its verdict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from receptor_runner.errors import StreamError
from receptor_runner.handlers import RunnerConfig
from receptor_runner.outcome import Status


class JobStatus:
    """The status of a job, as far as its stream has told.

    Attributes:
        last: the last status that arrived, None before the first one.
        explanation: what came with it or with an earlier one.
    """

    def __init__(self, last: str | None, explanation: str | None) -> None:
        self.last = last
        self.explanation = explanation

    def take(self, data: dict[str, Any], config: RunnerConfig) -> None:
        """Take a status line; what it says of the command that starts goes into the config."""
        self.last = str(data["status"])
        explanation = data.get("job_explanation")
        self.explanation = str(explanation) if explanation else self.explanation
        if self.last == Status.STARTING:
            command, cwd, env = (data.get(key) for key in ("command", "cwd", "env"))
            config.command = command if isinstance(command, list) else []
            config.cwd = cwd if isinstance(cwd, str) else None
            config.env = env if isinstance(env, dict) else {}

    def verdict(self, progress: str, offset: int) -> Status:
        """Return the final status of a stream that has ended.

        Args:
            progress: how far the stream got, for the error.
            offset: the same in bytes.

        Raises:
            StreamError: there is none.
        """
        if self.last is None:
            raise StreamError("the stream has no status", cause=progress, offset=offset)
        try:
            status = Status(self.last)
        except ValueError as error:
            raise StreamError(f"the stream ends with an unknown status `{self.last}`") from error
        if status in {Status.STARTING, Status.RUNNING}:
            raise StreamError("the stream ends without a verdict", cause=progress, offset=offset)
        return status


def contradictions(status: Status, rc: int | None, recorded: str | None) -> Iterator[str]:
    """Yield where the final status of a stream contradicts the files `rc` and `status` of its archive."""
    if recorded is not None and recorded != status.value:
        yield f"the stream ends with status {status}, but the artifact `status` says {recorded[:40]!r}"
    if (status is Status.SUCCESSFUL and rc) or (status is Status.FAILED and rc == 0):
        yield f"the stream ends with status {status}, but the artifact `rc` says {rc}"
