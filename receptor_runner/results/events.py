"""The events of a job as they come: a file for each, their text in `stdout` and on the display."""

from __future__ import annotations

import json
import logging
import re

from receptor_runner.handlers import EventHandler, Handlers
from receptor_runner.results.files import ArtifactWriter
from receptor_runner.stream.decoder import EXCERPT_SIZE
from receptor_runner.stream.messages import Event

log = logging.getLogger("receptor_runner.process")

_SAFE_UUID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,127}").fullmatch
_HIGHEST_COUNTER = 1 << 63


class JobEvents:
    """Keeps the events of a job, and shows their text.

    Files and text of the events that arrive together are written together, by `settle`: their files first, then their
    text. The caller settles before it acts on anything that follows them in the stream, before a checkpoint, and at
    the end of what has arrived. An event handler is asked for each event before its file is written.

    Args:
        files: where they are written.
        handlers: who is told of them.
        counter: the counter of the last event that was kept before.

    Raises:
        OutputFailed: the artifacts cannot be written; so do all methods.
    """

    def __init__(self, files: ArtifactWriter, handlers: Handlers, counter: int) -> None:
        self.counter = counter
        self._files = files
        self._handlers = handlers
        self._unshown: list[str] = []

    def take(self, event: Event) -> None:
        """Take the next event; one whose counter and uuid make no safe file name is dropped."""
        counter, uuid = event.data["counter"], str(event.data["uuid"])
        if not (0 < counter <= _HIGHEST_COUNTER and _SAFE_UUID(uuid)):
            log.warning("the stream holds an event that cannot be kept: %r", event.raw[:EXCERPT_SIZE])
            return
        if counter <= self.counter:
            self._files.finish_events()  # perhaps it came before, and no two threads may write the same file
        self.counter = counter
        if self._handlers.observer:
            self._handlers.observer(event)
        text = event.data.get("stdout")
        if isinstance(text, str) and text:
            self._unshown.append(text)
        name = f"{counter}-{uuid}.json"
        if self._handlers.event_handler:
            self._ask(self._handlers.event_handler, event, name)
            return
        self._files.write_event(name, event.raw)

    def _ask(self, event_handler: EventHandler, event: Event, name: str) -> None:
        """Show the event's text, ask the handler, and write what it made of the event if it wants it kept."""
        self.settle()
        if event_handler(event.data):
            self._files.write_event(name, json.dumps(event.data).encode())
            self._files.finish_events()

    def settle(self) -> None:
        """Return once the files of all events that were taken are complete and their text is written and displayed.

        Text is written at once for many events: a write for each of them would cost as much as parsing them.
        """
        self._files.finish_events()
        if self._unshown:
            text, self._unshown = "\n".join([*self._unshown, ""]), []
            self._files.append_stdout(text)
            self._handlers.display(text)
