"""Completes events: numbers them, counts the lines of their text, and keeps the job's output file."""

from __future__ import annotations

import datetime
import json
import os
import uuid
from pathlib import Path
from typing import Any, BinaryIO

from receptor_runner.artifacts import FILE_MODE
from receptor_runner.execution.sink import Sink


class OutputFile:
    """The `stdout` file of a job: its text, or one event a line, as ansible-runner keeps them."""

    def __init__(self, path: Path | None, *, as_json: bool) -> None:
        self._file: BinaryIO | None = None
        self._as_json = as_json
        if path is not None:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
            self._file = os.fdopen(descriptor, "wb", buffering=0)

    def add(self, event: dict[str, Any], text: str) -> None:
        """Add an event, whose text in the file is `text`."""
        kept = json.dumps(event) + "\n" if self._as_json else text
        if self._file is not None and kept:
            self._file.write(kept.encode("utf-8", "replace"))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


class Assembler:
    """Turns text, and the events of the callback plugin, into numbered events.

    Args:
        ident: the ident each event carries.
        sink: receives the events.
        output: the output file.
    """

    def __init__(self, *, ident: str, sink: Sink, output: OutputFile) -> None:
        self._ident = ident
        self._sink = sink
        self._output = output
        self._counter = 0
        self._line = 0
        self._partial = ""

    @property
    def unfinished_line(self) -> str:
        """Text without a line end so far, such as a prompt."""
        return self._partial

    def add_text(self, text: str) -> None:
        """Add text that belongs to no event; each complete line becomes a `verbose` event."""
        head, newline, self._partial = (self._partial + text).rpartition("\n")
        for line in (head + newline).splitlines(keepends=True):
            self._add_verbose(line, line)

    def add_event(self, text: str, fields: dict[str, Any]) -> None:
        """Add an event of the callback plugin."""
        self.flush()
        shown = text.rstrip("\r\n")
        self._add({"uuid": fields["uuid"]}, text, fields, shown + "\n" if shown else "")

    def flush(self) -> None:
        """Make the unfinished line an event."""
        partial, self._partial = self._partial, ""
        for line in partial.splitlines(keepends=True):
            self._add_verbose(line, line.rstrip("\r\n") + "\n")

    def _add_verbose(self, line: str, kept: str) -> None:
        created = {"created": datetime.datetime.now(datetime.UTC).isoformat()}
        self._add({"event": "verbose", "uuid": str(uuid.uuid4())}, line, created, kept)

    def _add(self, start: dict[str, Any], text: str, rest: dict[str, Any], kept: str) -> None:
        self._counter += 1
        lines = text.count("\n")
        place = {
            "counter": self._counter,
            "stdout": text.rstrip("\r\n"),
            "start_line": self._line,
            "end_line": self._line + lines,
            "runner_ident": self._ident,
        }
        self._line += lines
        event = start | place | rest
        self._output.add(event, kept)
        self._sink.event(event)
