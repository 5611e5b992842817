"""The result stream of a worker whose caller has handlers too."""

from __future__ import annotations

from typing import Any

from receptor_runner.handlers import Handlers, RunnerConfig
from receptor_runner.result_stream import ResultStream
from receptor_runner.system.cancel import CancelToken
from receptor_runner.system.pipes import Writable


class ObservedStream(ResultStream):
    """A result stream that calls handlers for each status and event.

    Args:
        output: where the bytes go.
        keepalive_s: seconds of silence after which a keepalive is sent; 0 for never.
        stop: requested when nobody reads the stream any more.
        handlers: called after each line is sent.
        config: the job, as handlers see it.
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
        """Send a status line, and call the handler."""
        super().status(status)
        self._handlers.status_handler(status, runner_config=self._config)

    def event(self, event: dict[str, Any]) -> None:
        """Send an event, and call the handler."""
        super().event(event)
        if self._handlers.event_handler:
            self._handlers.event_handler(event)
