"""What a program asks on its terminal, and the answers that are typed for it."""

from __future__ import annotations

import time
from collections.abc import Callable

from receptor_runner.execution.event_channel import EventChannel
from receptor_runner.execution.prompts import Answers
from receptor_runner.execution.terminal import Terminal

SETTLE_S = 0.1


class Dialog:
    """The questions and answers of one program.

    Args:
        answers: the answers to its prompts.
        terminal: where it asks.
        channel: its events, which know how it reads the terminal.
        has_unfinished_line: whether the last line that was printed has no end, as a prompt has none.
        pid: the process that started everything of the program; known once it runs.
    """

    def __init__(
        self,
        answers: Answers,
        terminal: Terminal,
        channel: EventChannel,
        *,
        has_unfinished_line: Callable[[], bool],
        pid: Callable[[], int],
    ) -> None:
        self._answers = answers
        self._terminal = terminal
        self._channel = channel
        self._has_unfinished_line = has_unfinished_line
        self._pid = pid
        self._may_prompt = False
        self._keys_since = time.monotonic()

    def printed(self, text: str, *, may_prompt: bool) -> None:
        """Take text that was printed; an event's own text is no prompt."""
        self._answers.show(text)
        self._may_prompt = self._may_prompt or may_prompt

    def answer(self) -> None:
        """Type the answer to a prompt: after new text, or when the program reads single keys."""
        now = time.monotonic()
        if not self._reads_keys:
            self._keys_since = now
        # A program that switches the terminal to single keys discards input that was typed before.
        takes_keys = now - self._keys_since >= SETTLE_S
        if (self._may_prompt or takes_keys) and (answer := self._answers.find()) is not None:
            self._terminal.type(answer)
        self._may_prompt = False

    @property
    def is_stuck(self) -> bool:
        """Whether the program waits for input that no password answers."""
        if self._reads_keys:
            return not self._answers.is_timed_pause
        return self._has_unfinished_line() and self._channel.awaits_input(self._terminal, self._pid())

    @property
    def last_line(self) -> str:
        """The last line that was printed: probably the prompt."""
        return self._answers.last_line

    @property
    def _reads_keys(self) -> bool:
        return self._channel.reads_keys(self._terminal)
