"""The result stream of a worker whose caller also wants to hear what it sends."""

from __future__ import annotations

from typing import Any

from receptor_runner.handlers import Handlers, RunnerConfig
from receptor_runner.result_stream import ResultStream
from receptor_runner.system.cancel import CancelToken
from receptor_runner.system.pipes import Writable


class ObservedStream(ResultStream):
    """A result stream that tells handlers of each status and event.

    Args:
        output: where the bytes go.
        keepalive_s: seconds of silence after which a keepalive is sent; 0 for never.
        stop: asked to stop the job when nobody reads any more.
        handlers: whom to tell.
        config: what they are told of the job.
    """

    def __init__(
        self,
        output: Writable,
        *,
        keepalive_s: float,
        stop: CancelToken,
        handlers: Handlers,
        config: RunnerConfig,
    ) -> None:
        super().__init__(output, keepalive_s=keepalive_s, stop=stop)
        self._handlers = handlers
        self._config = config

    def status(self, status: dict[str, Any]) -> None:
        """Send a status line, and tell of it."""
        super().status(status)
        self._handlers.status_handler(status, runner_config=self._config)

    def event(self, event: dict[str, Any]) -> None:
        """Send an event, and tell of it."""
        super().event(event)
        if self._handlers.event_handler:
            self._handlers.event_handler(event)
