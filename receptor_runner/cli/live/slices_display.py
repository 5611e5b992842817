"""What is shown of a sliced job: each line of output with its node, and one summary."""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from receptor_runner.cli import messages, output, slices_report, units
from receptor_runner.cli.live.job_screen import JobScreen
from receptor_runner.cli.live.slices_view import SlicesView
from receptor_runner.cli.output_options import OutputFormat

if TYPE_CHECKING:
    from receptor_runner.cli.live.bottom_line import Render
    from receptor_runner.errors import NodeUnavailable
    from receptor_runner.handlers import Handlers
    from receptor_runner.receptor.jobs.follow import Following
    from receptor_runner.receptor.jobs.record import Record
    from receptor_runner.receptor.nodes.locate import LocalNode
    from receptor_runner.slices.index import Index, SliceEntry
    from receptor_runner.slices.merging import MergedRecap
    from receptor_runner.stream.messages import Event

log = logging.getLogger("receptor_runner.display")

_MOST_NAMED = 10


class SlicesDisplay(JobScreen):
    """Shows the slices of a job side by side; it is the observer of their run.

    Args:
        output_format: what is printed.
    """

    def __init__(self, output_format: OutputFormat) -> None:
        self._view = SlicesView(began=time.monotonic())
        super().__init__(output_format)
        # each slice is followed by a thread of its own
        self._lock = threading.Lock()
        self._base: Following | None = None
        self._names_numbers = False
        self._width = 0

    def _status_line(self) -> Render:
        from receptor_runner.cli.live.slices_line import SlicesLineRenderer

        return SlicesLineRenderer(self._view)

    def begin(self, index: Index, numbers: tuple[int, ...], base: Following) -> None:
        """Take which slices run, and how each is followed, its handlers aside."""
        places = [index.entry(number).place for number in numbers]
        self._base = base
        self._names_numbers = len(set(places)) < len(places)
        self._width = max(len(self._name(index.entry(number))) for number in numbers)
        for number in numbers:
            self._view.wait(number)
        messages.note(slices_report.describe_plan(index, numbers))

    def _name(self, entry: SliceEntry) -> str:
        return f"{entry.place}/{entry.number}" if self._names_numbers else entry.place

    def routed(self, entry: SliceEntry, record: Record, local: LocalNode) -> None:
        """Take where a slice runs."""
        via = "embedded" if local.embedded else local.socket
        log.debug("slice %d, job %s, on node `%s` via %s", entry.number, record.ident, record.node, via)

    def following(self, entry: SliceEntry) -> Following:
        """Return how to follow a slice, once it has a unit."""
        assert self._base is not None
        with self._lock:
            self._view.run(entry.number)
            self._width = max(self._width, len(self._name(entry)))
        prefix = f"[{self._name(entry).ljust(self._width)}] "

        def trouble(text: str) -> None:
            with self._lock:
                self._view.take_trouble(entry.number, entry.place, text)

        return dataclasses.replace(self._base, handlers=self._handlers(entry, prefix), on_trouble=trouble)

    def _handlers(self, entry: SliceEntry, prefix: str) -> Handlers:
        from receptor_runner.handlers import Handlers, ignore

        is_text, is_events = self.format is OutputFormat.TEXT, self.format is OutputFormat.NDJSON
        facts = {"slice": entry.number, "node": entry.place}
        head = json.dumps(facts)[:-1]

        def show(text: str) -> None:
            lines = "".join(f"{prefix}{line}".rstrip() + "\n" for line in text.splitlines())
            with self._lock:
                self._renderer.output(lines)

        def take_event(event: Event) -> None:
            with self._lock:
                if is_events:  # the line as it came, with two more keys in front
                    line = event.raw.decode(errors="surrogateescape")
                    self._renderer.output(f"{head}, {line.lstrip()[1:]}\n")
                self._view.take_event(entry.number, event.data)

        def take_status(data: dict[str, Any], **_config: object) -> None:
            if is_events:
                with self._lock:
                    self._renderer.output(output.json_line({**facts, **data}))

        return Handlers(
            display=show if is_text else ignore,
            status_handler=take_status,
            observer=take_event if is_events or self._renderer.is_live else None,
        )

    def ended(self, entry: SliceEntry) -> None:
        """Take how a slice ended."""
        with self._lock:
            self._view.end(entry.number, is_good=entry.exit_code == 0)
        if entry.exit_code and not self._renderer.is_live:
            messages.note(slices_report.describe_end(entry), logging.WARNING)

    def moved(self, entry: SliceEntry, error: NodeUnavailable) -> None:
        """Take that a slice could not start on its node and goes to another."""
        with self._lock:
            self._view.wait(entry.number)
        messages.note(
            f"warning: slice {entry.number} could not start on {entry.place}; another node takes it: {error}",
            logging.WARNING,
        )

    def end(self, index: Index, private_data_dir: Path) -> None:
        """Show how the sliced job ended.

        Raises:
            OutputFailed: not all of its output could be written to stdout.
        """
        self.close()
        recap = slices_report.recap_of(index, private_data_dir)
        if self.format in {OutputFormat.JSON, OutputFormat.NDJSON}:
            output.data(slices_report.describe(index, recap, private_data_dir))
        elif self.format is OutputFormat.TEXT:
            from receptor_runner.slices.merging import recap_lines

            for line in recap_lines(recap):
                self._stdout.show(line + "\n")
            for line in self._summary(index, recap, private_data_dir):
                messages.note(line)
        self._stdout.check()

    def _summary(self, index: Index, recap: MergedRecap, private_data_dir: Path) -> Iterator[str]:
        took = units.duration(time.monotonic() - self._view.began)
        yield slices_report.describe_job(index, recap, took)
        bad = [entry for entry in index.slices if entry.exit_code != 0]
        for entry in bad[:_MOST_NAMED]:
            yield slices_report.describe_end(entry)
        for host, task in self._view.failures[:_MOST_NAMED]:
            yield f"failed: {host}: {task}"
        more = max(len(bad) - _MOST_NAMED, 0) + max(len(self._view.failures) - _MOST_NAMED, 0)
        if more:
            yield f"and {more} more"
        yield f"artifacts: {private_data_dir.absolute() / 'artifacts' / index.ident}"
