"""Where the statuses and events of a running job go."""

from __future__ import annotations

from typing import Any, Protocol


class Sink(Protocol):
    """Where a running job's news goes, in order; each call returns when the news is on its way."""

    def status(self, status: dict[str, Any]) -> None:
        """Take a status line: `{"status": ..., "runner_ident": ...}` and more."""

    def event(self, event: dict[str, Any]) -> None:
        """Take one event, complete with counter, uuid and stdout."""
