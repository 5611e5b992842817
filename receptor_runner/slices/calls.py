"""The callbacks of a program that runs a sliced job."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from receptor_runner.errors import NodeUnavailable
from receptor_runner.handlers import Handlers, RunnerConfig, runner_config
from receptor_runner.outcome import Outcome, Status
from receptor_runner.receptor.jobs.follow import Following
from receptor_runner.receptor.jobs.record import Record
from receptor_runner.receptor.nodes.locate import LocalNode
from receptor_runner.slices.index import Index, SliceEntry
from receptor_runner.slices.running import Requests

log = logging.getLogger("receptor_runner.slices")

Result = TypeVar("Result")


class SlicedCalls:
    """Calls the handlers for all slices, one call at a time; it is the observer of their run.

    Events and statuses carry the keys `slice` and `node`. If a handler raises, all slices are canceled, and no handler
    is called any more.

    Args:
        private_data_dir: where the artifacts are.
        handlers: the caller's handlers.
        requests: with which all slices are canceled.
    """

    def __init__(self, private_data_dir: Path, handlers: Handlers, requests: Requests) -> None:
        self._private_data_dir = private_data_dir
        self._handlers = handlers
        self._requests = requests
        self._lock = threading.Lock()
        self._failure: Exception | None = None

    def check(self) -> None:
        """Raise what a handler raised."""
        if self._failure:
            raise self._failure

    def outcome(self, index: Index) -> Outcome:
        """Return the outcome of the sliced job; one that has no end is lost as far as this side knows."""
        bad = [entry for entry in index.slices if entry.exit_code != 0]
        why = "; ".join(f"slice {entry.number} on {entry.place}: {entry.status}" for entry in bad) or None
        if index.end is None:
            return Outcome(status=Status.LOST, explanation=why)
        return Outcome(status=index.end.status, rc=index.end.rc, explanation=why)

    def following(self, entry: SliceEntry) -> Following:
        """Return how to follow a slice."""
        return Following(
            handlers=self._of_slice(entry),
            cancel=self._requests.cancel,
            detach=self._requests.detach,
            config=runner_config(self._private_data_dir, entry.ident),
        )

    def _of_slice(self, entry: SliceEntry) -> Handlers:
        facts = {"slice": entry.number, "node": entry.place}
        handle = self._handlers.event_handler

        def take_event(event: dict[str, Any]) -> Any:
            event.update(facts)
            return self._call(True, lambda: handle(event) if handle else True)

        def take_status(data: dict[str, Any], runner_config: RunnerConfig) -> None:
            self._call(
                None,
                lambda: self._handlers.status_handler({**data, **facts}, runner_config=runner_config),
            )

        def show(text: str) -> None:
            lines = "".join(f"[{entry.place}] {line}\n" for line in text.splitlines())
            self._call(None, lambda: self._handlers.display(lines))

        return dataclasses.replace(
            self._handlers,
            event_handler=take_event if handle else None,
            status_handler=take_status,
            artifacts_handler=lambda path: self._call(None, lambda: self._handlers.artifacts_handler(path)),
            display=show,
        )

    def _call(self, otherwise: Result, call: Callable[[], Result]) -> Result:
        """Call a handler; return something else once one has failed."""
        with self._lock:
            if self._failure:
                return otherwise
            try:
                return call()
            except Exception as error:
                self._failure = error
                self._requests.cancel.request()
                return otherwise

    def routed(self, entry: SliceEntry, record: Record, _local: LocalNode) -> None:
        """Log where a slice runs."""
        log.debug("slice %d, job %s, on node `%s`", entry.number, record.ident, record.node)

    def ended(self, entry: SliceEntry) -> None:
        """Log how a slice ended."""
        log.info("slice %d on %s: %s", entry.number, entry.place, entry.status)

    def moved(self, entry: SliceEntry, error: NodeUnavailable) -> None:
        """Log that a slice goes to another node."""
        log.warning(
            "slice %d could not start on %s; another node takes it: %s", entry.number, entry.place, error
        )
