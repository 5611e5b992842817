"""The interface for the statuses and events of a running job."""

from __future__ import annotations

from typing import Any, Protocol


class Sink(Protocol):
    """Receives the statuses and events of a job, in order."""

    def status(self, status: dict[str, Any]) -> None:
        """Receive a status line: `{"status": ..., "runner_ident": ...}` and more."""

    def remark(self, text: str) -> None:
        """Receive a line for whoever follows the job, which is no part of its output."""

    def event(self, event: dict[str, Any]) -> None:
        """Receive one event, complete with counter, uuid and stdout."""
