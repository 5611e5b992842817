"""What a program prints on its terminal and sends on its channel, put into one order."""

from __future__ import annotations

import time
from typing import Any

from receptor_runner.execution.dialog import Dialog
from receptor_runner.execution.event_channel import EventChannel
from receptor_runner.execution.events import Assembler
from receptor_runner.execution.terminal import Terminal

DRAIN_LIMIT_S = 5.0
LAST_TEXT = 4000
CLEAR_LINE = "\x1b[K"


class ProgramOutput:
    """What one program prints and sends: terminal and channel, put into one order.

    Args:
        assembler: receives it.
        terminal: the text.
        channel: the events.
        dialog: is told of all that a person would see.
    """

    def __init__(
        self, assembler: Assembler, terminal: Terminal, channel: EventChannel, dialog: Dialog
    ) -> None:
        self._assembler = assembler
        self._terminal = terminal
        self._channel = channel
        self._dialog = dialog
        self.last_text = ""

    @property
    def terminal(self) -> int:
        """Where text arrives."""
        return self._terminal.master

    @property
    def channel(self) -> int:
        """Where events arrive."""
        return self._channel.reader

    @property
    def may_wait(self) -> bool:
        """Whether events that come now need not be read at once."""
        return self._channel.may_wait

    def read(self, ready: set[int]) -> bool:
        """Read what has arrived at the ready descriptors; return whether that was anything."""
        # An event that was sent before some text can be read once that text has been: so the channel is looked at after
        # the terminal, whatever was ready, or a prompt would overtake its event. And text that was printed before an
        # event can be read once the event has been: so the terminal is read again after the channel.
        text = self._terminal.read() if self._terminal.master in ready else ""
        may_have_messages = bool(text) or self._channel.reader in ready
        messages, more = self._channel.read_with_text(self._terminal) if may_have_messages else ([], "")
        text += more
        before, after = _around_events(text)
        self._show(before)
        for message in messages:
            self._take(message)
        self._show(after)
        return bool(text or messages)

    def drain(self) -> None:
        """Read what is left, without waiting for end of file: a daemon may keep terminal and channel open."""
        limit = time.monotonic() + DRAIN_LIMIT_S
        self._drain_terminal(limit)
        for message in self._channel.drain():
            self._take(message)
        self._drain_terminal(limit)
        self._assembler.flush()

    def _drain_terminal(self, limit: float) -> None:
        while (text := self._terminal.read()) and time.monotonic() < limit:
            self._add_text(text)

    def _take(self, message: dict[str, Any]) -> None:
        """Take a message of the callback plugin: an event, or text that belongs to none."""
        is_event = "fields" in message
        if is_event:
            self._assembler.add_event(message["text"], message["fields"])
        else:
            self._assembler.add_text(message["text"])
        self._dialog.printed(message["text"], may_prompt=not is_event)

    def _show(self, text: str) -> None:
        if text:
            self._add_text(text)
            self._dialog.printed(text, may_prompt=True)

    def _add_text(self, text: str) -> None:
        self._assembler.add_text(text)
        self.last_text = (self.last_text + text)[-LAST_TEXT:]


def _around_events(text: str) -> tuple[str, str]:
    """Split text that arrived together with events into the text before and the text after them.

    An unfinished line is a prompt that followed an event, unless it ends with the code that clears its line, which
    `pause` sends after it has its answer.
    """
    if text.endswith(CLEAR_LINE):
        return text, ""
    head, newline, prompt = text.rpartition("\n")
    return head + newline, prompt
