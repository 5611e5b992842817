"""What is shown of a job: on stdout in the chosen format, on stderr for the person who waits."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from receptor_runner.cli import job_view, messages, output, units
from receptor_runner.cli.live.job_screen import JobScreen
from receptor_runner.cli.live.view import Phase, RunView
from receptor_runner.cli.output_options import OutputFormat
from receptor_runner.recap import read_events, read_recap

if TYPE_CHECKING:
    from receptor_runner.cli.live.bottom_line import Render
    from receptor_runner.handlers import Handlers
    from receptor_runner.outcome import Outcome
    from receptor_runner.receptor.control.retry import Attempt
    from receptor_runner.receptor.jobs.record import Record
    from receptor_runner.receptor.nodes.destination import Destination
    from receptor_runner.receptor.nodes.locate import LocalNode
    from receptor_runner.stream.messages import Event

log = logging.getLogger("receptor_runner.display")

_MOST_FAILURES = 10
_MOST_REPLAYED = 20_000
"""Reading so many events takes about a second; beyond it the hosts are counted from the attach on."""


class JobDisplay(JobScreen):
    """Shows one job from its upload to its end.

    Args:
        output_format: what is printed.
        one_job: whether it shows one job; many have no status line.
    """

    def __init__(self, output_format: OutputFormat, *, one_job: bool = True) -> None:
        self._view = RunView(began=time.monotonic())
        super().__init__(output_format, may_be_live=one_job)
        self._lock = threading.Lock()
        self._trouble = ""
        self._is_broken = False

    def _status_line(self) -> Render:
        from receptor_runner.cli.live.status_line import StatusLineRenderer

        return StatusLineRenderer(self._view)

    def sent(self, sent: int, size: int) -> None:
        """Take how many bytes of how many are uploaded."""
        self._renderer.upload(self._view.take_upload(sent, size, time.monotonic()))

    def routed(self, record: Record, local: LocalNode) -> None:
        """Take where the job runs, and say so."""
        self._view.node = record.node
        job_view.note_route(record, local)

    def follows(self, record: Record, artifacts: Path) -> None:
        """Take which job is followed from now on; what came of it before counts too."""
        self._view.node = record.node
        self._view.began = time.monotonic() - job_view.age_s(record)
        if self._view.phase is Phase.PACKING:
            self._view.phase = Phase.WAITING
        if self._renderer.is_live and 0 < record.checkpoint.counter <= _MOST_REPLAYED:
            for event in read_events(artifacts):
                self._view.take_event(event)

    def watching(self, where: Destination) -> Destination:
        """Return a destination whose retries are shown here: on a terminal in the line, else in the log."""
        if not self._renderer.is_live:
            return where
        retry = dataclasses.replace(where.retry, report=self._take_attempt)
        return dataclasses.replace(where, retry=retry)

    def _take_attempt(self, attempt: Attempt) -> None:
        log.debug("%s", attempt)
        self.trouble("" if attempt.error is None else "local node out of reach")

    def trouble(self, text: str) -> None:
        """Take why nothing arrives; "" once it is over."""
        if text == self._trouble:
            return
        now = time.monotonic()
        lasted_s = self._view.line(now).trouble_s
        self._view.take_trouble(text, now)
        self._renderer.trouble(text or f"{self._trouble}: over after {units.duration(lasted_s)}")
        self._trouble = text

    def handlers(self) -> Handlers:
        """Return the callbacks through which the job is shown."""
        from receptor_runner.handlers import Handlers, ignore

        is_text, is_events = self.format is OutputFormat.TEXT, self.format is OutputFormat.NDJSON
        return Handlers(
            display=self._renderer.output if is_text else ignore,
            status_handler=self._take_status,
            observer=self._take_event if is_events or self._renderer.is_live else None,
        )

    def handlers_of_many(self, ident: str) -> Handlers:
        """Return the callbacks through which one job among many is shown, each in a thread of its own."""

        def show_lines(text: str) -> None:
            lines = text.splitlines(keepends=True)
            with self._lock:
                self._renderer.output("".join(f"{ident} | {line}" for line in lines))

        handlers = self.handlers()
        return (
            dataclasses.replace(handlers, display=show_lines)
            if self.format is OutputFormat.TEXT
            else handlers
        )

    def _take_status(self, data: dict[str, Any], **_config: object) -> None:
        self._view.take_status(data)
        if self.format is OutputFormat.NDJSON:
            with self._lock:
                self._renderer.output(output.json_line(data))

    def _take_event(self, event: Event) -> None:
        if self.format is OutputFormat.NDJSON:
            with self._lock:
                self._renderer.output(event.raw.decode(errors="surrogateescape") + "\n")
        if self._is_broken:
            return
        try:
            self._view.take_event(event.data)
        except Exception:
            self._is_broken = True
            log.debug("the status line stops here: event %r", event.raw[:200], exc_info=True)

    def end(self, record: Record, outcome: Outcome, artifacts: Path) -> None:
        """Show how the job ended.

        Raises:
            OutputFailed: not all of its output could be written to stdout.
        """
        self.close()
        if self.format in {OutputFormat.JSON, OutputFormat.NDJSON}:
            output.data(job_view.describe(record))
        elif self.format is OutputFormat.TEXT:
            for line in self._summary(record, outcome, artifacts):
                messages.note(line)
        self._stdout.check()

    def end_many(self, records: list[Record]) -> None:
        """Show how many jobs ended.

        Raises:
            OutputFailed: likewise.
        """
        self.close()
        if self.format in {OutputFormat.JSON, OutputFormat.NDJSON}:
            output.data({"schema": 1, "jobs": [job_view.describe(record) for record in records]})
        self._stdout.check()

    def _summary(self, record: Record, outcome: Outcome, artifacts: Path) -> Iterator[str]:
        recap = read_recap(artifacts)
        took = "" if recap.duration_s is None else f" in {units.duration(recap.duration_s)}"
        counts = f"; {units.hosts(recap.hosts, recap.changed, recap.failed)}" if recap.hosts else ""
        yield f"{outcome.status} on {record.node}{took}{counts}"
        for host, task in self._view.failures[:_MOST_FAILURES]:
            yield f"failed: {host}: {task}"
        if (more := len(self._view.failures) - _MOST_FAILURES) > 0:
            yield f"and {more} more failures"
        yield f"artifacts: {artifacts}"
