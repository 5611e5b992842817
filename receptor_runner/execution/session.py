"""Runs one program in a terminal: its text, its events, its prompts, its time limits, its end."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from receptor_runner.execution.event_channel import EventChannel
from receptor_runner.execution.events import Assembler
from receptor_runner.execution.guardian import JOB
from receptor_runner.execution.guardian_client import Exit, GuardianClient, Program, StopContainer, Stopped
from receptor_runner.execution.prompts import Answers
from receptor_runner.execution.terminal import Terminal
from receptor_runner.system.cancel import CancelToken

TICK_S = 0.25
SETTLE_S = 0.1
REPORT_PROMPT_S = 2.0
"""How long a prompt stands before it is reported: a password that matches answers it at once."""

DRAIN_LIMIT_S = 5.0
RC_INTERRUPTED = 99
"""The exit code of Ansible after Ctrl-C."""

LAST_TEXT = 4000
CLEAR_LINE = "\x1b[K"


class Cause(StrEnum):
    """Why a program ended."""

    EXITED = "it exited"
    CANCELED = "it was canceled"
    JOB_TIMEOUT = "it exceeded its job_timeout"
    IDLE_TIMEOUT = "it printed nothing for its idle_timeout"
    UNANSWERED = "no password matches its prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The end of a program.

    Attributes:
        cause: why it ended.
        exit: its exit status; None if it is unknown.
        left: the processes that could not be killed.
        last_line: the prompt at which it was stopped, if there was one.
        last_text: the end of what it printed itself, which is where a container engine reports errors.
    """

    cause: Cause
    exit: Exit | None
    left: tuple[int, ...] = ()
    last_line: str = ""
    last_text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a program is stopped: at a time of the monotonic clock, after no output, at an unanswered prompt."""

    deadline: float | None
    idle_timeout_s: float | None
    prompt_timeout_s: float


class Session:
    """One program in a terminal, from its start until its last output is read.

    Args:
        guardian: starts and stops it.
        assembler: receives its text and events.
        answers: the answers to its prompts.
        limits: when to stop it.
        stop: requests that it be stopped.
        on_prompt: called with a prompt that no password matches, soon after it was printed.
        open_channel: opens the channel for its events.
    """

    def __init__(
        self,
        *,
        guardian: GuardianClient,
        assembler: Assembler,
        answers: Answers,
        limits: Limits,
        stop: CancelToken,
        on_prompt: Callable[[str], None] = lambda _prompt: None,
        open_channel: Callable[[], EventChannel] = EventChannel.inherited,
    ) -> None:
        self._guardian = guardian
        self._assembler = assembler
        self._answers = answers
        self._limits = limits
        self._stop = stop
        self._on_prompt = on_prompt
        self._reported_prompt = False
        self._open_channel = open_channel
        self._ends_with_stop = False
        self._cause: Cause | None = None
        self._exit: Exit | None = None
        self._stopping = False
        self._stopped: Stopped | None = None
        self._may_prompt = False
        self._last_line = self._last_text = ""
        self._last_output_at = self._keys_since = time.monotonic()

    def run(self, program: Program) -> End:
        """Run a program to its end.

        Args:
            program: what to run; the terminal and the channel are added to its descriptors.

        Raises:
            OSError: it cannot be started.
        """
        with closing(Terminal()) as terminal, closing(self._open_channel()) as channel:
            own = {0: terminal.slave, 1: terminal.slave, 2: terminal.slave, **channel.descriptors}
            self._ends_with_stop = isinstance(program.stop, StopContainer)
            self._guardian.spawn(
                replace(program, name=JOB, terminal=True, descriptors={**own, **program.descriptors})
            )
            self._follow(terminal, channel)
            self._drain(terminal, channel)
        left = tuple(self._stopped.left) if self._stopped else ()
        return End(
            cause=self._why(),
            exit=self._exit,
            left=left,
            last_line=self._last_line,
            last_text=self._last_text,
        )

    def _why(self) -> Cause:
        """Return why the program ended; a signal to the worker may have reached the program too, and ended it."""
        if self._cause is None and self._stop.requested and self._exit:
            stopped = self._exit.code < 0 or self._exit.code == RC_INTERRUPTED
            return Cause.CANCELED if stopped else Cause.EXITED
        return self._cause or Cause.EXITED

    def _follow(self, terminal: Terminal, channel: EventChannel) -> None:
        with _watching(self._guardian, terminal.master, channel.reader) as poller:
            if self._cause is None:
                poller.register(self._stop.fileno(), select.POLLIN)
            while not self._has_ended():
                ready = {entry[0] for entry in poller.poll(self._pause_ms())}
                self._read_output(terminal, channel, ready)
                self._answer(terminal, channel)
                if not self._stopping and (
                    cause := self._due(terminal, channel, self._stop.fileno() in ready)
                ):
                    self._cause, self._last_line = cause, self._answers.last_line
                    poller.unregister(self._stop.fileno())
                    self._stop_all()
                if self._guardian.fileno() in ready or self._guardian.has_report:
                    self._take_reports()

    def _has_ended(self) -> bool:
        return self._stopped is not None if self._stopping else self._exit is not None

    def _stop_all(self) -> None:
        self._stopping = True
        self._guardian.stop()

    def _pause_ms(self) -> float:
        return 0 if self._guardian.has_report else TICK_S * 1000

    def _read_output(self, terminal: Terminal, channel: EventChannel, ready: set[int]) -> None:
        # The events are read first, then the terminal: text that was written before an event can then be read, and
        # goes before it.
        messages, text = channel.read_with_text(terminal) if channel.reader in ready else ([], "")
        if terminal.master in ready:
            text += terminal.read()
        before, after = _around_events(text)
        self._show(before)
        for message in messages:
            self._take(message)
        self._show(after)
        if text or messages:
            self._last_output_at = time.monotonic()
            self._reported_prompt = False
        self._may_prompt = self._may_prompt or bool(text)

    def _take(self, message: dict[str, Any]) -> None:
        """Take a message of the callback plugin: an event, or text that belongs to none."""
        if "fields" in message:
            self._assembler.add_event(message["text"], message["fields"])
        else:
            self._assembler.add_text(message["text"])
            self._may_prompt = True
        self._answers.show(message["text"])

    def _show(self, text: str) -> None:
        if text:
            self._add_text(text)
            self._answers.show(text)

    def _add_text(self, text: str) -> None:
        self._assembler.add_text(text)
        self._last_text = (self._last_text + text)[-LAST_TEXT:]

    def _answer(self, terminal: Terminal, channel: EventChannel) -> None:
        """Type the answer to a prompt: after new text, or when a program reads single keys."""
        now = time.monotonic()
        if not channel.reads_keys(terminal):
            self._keys_since = now
        # A program that switches the terminal to single keys discards input that was typed before.
        takes_keys = now - self._keys_since >= SETTLE_S
        if (self._may_prompt or takes_keys) and (answer := self._answers.find()) is not None:
            terminal.type(answer)
        self._may_prompt = False

    def _due(self, terminal: Terminal, channel: EventChannel, stop_requested: bool) -> Cause | None:
        now = time.monotonic()
        if stop_requested:
            return Cause.CANCELED
        if self._limits.deadline is not None and now >= self._limits.deadline:
            return Cause.JOB_TIMEOUT
        silence_s = now - self._last_output_at
        if self._limits.idle_timeout_s is not None and silence_s >= self._limits.idle_timeout_s:
            return Cause.IDLE_TIMEOUT
        if silence_s >= min(self._limits.prompt_timeout_s, REPORT_PROMPT_S) and self._is_stuck(
            terminal, channel
        ):
            if silence_s >= self._limits.prompt_timeout_s:
                return Cause.UNANSWERED
            if not self._reported_prompt:
                self._reported_prompt = True
                self._on_prompt(self._answers.last_line)
        return None

    def _is_stuck(self, terminal: Terminal, channel: EventChannel) -> bool:
        """Whether the program waits for input that no password answers."""
        if channel.reads_keys(terminal):
            return not self._answers.is_timed_pause
        return bool(self._assembler.unfinished_line) and channel.awaits_input(terminal, self._guardian.pid)

    def _take_reports(self) -> None:
        for report in self._guardian.reports():
            if isinstance(report, Stopped):
                self._stopped = report
            elif report.name == JOB:
                self._exit = report
                # A killed program left its children behind, and a container outlives the client of its engine.
                if (report.code < 0 or self._ends_with_stop) and not self._stopping:
                    self._stop_all()

    def _drain(self, terminal: Terminal, channel: EventChannel) -> None:
        """Read what is left, without waiting for end of file: a daemon may keep terminal and channel open."""
        limit = time.monotonic() + DRAIN_LIMIT_S
        while (text := terminal.read()) and time.monotonic() < limit:
            self._add_text(text)
        for message in channel.drain():
            self._take(message)
        while (text := terminal.read()) and time.monotonic() < limit:
            self._add_text(text)
        self._assembler.flush()


def _around_events(text: str) -> tuple[str, str]:
    """Split text that arrived together with events into the text before and the text after them.

    An unfinished line is a prompt that followed an event, unless it ends with the code that clears its line, which
    `pause` sends after it has its answer.
    """
    if text.endswith(CLEAR_LINE):
        return text, ""
    head, newline, prompt = text.rpartition("\n")
    return head + newline, prompt


@contextmanager
def _watching(guardian: GuardianClient, *descriptors: int) -> Iterator[select.poll]:
    poller = select.poll()
    for descriptor in (guardian.fileno(), *descriptors):
        poller.register(descriptor, select.POLLIN)
    yield poller
