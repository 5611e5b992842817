"""Runs one program in a terminal: its text, its events, its prompts, its time limits, its end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from receptor_runner.execution.arrivals import Arrivals
from receptor_runner.execution.dialog import Dialog
from receptor_runner.execution.end import Cause, End
from receptor_runner.execution.event_channel import EventChannel
from receptor_runner.execution.events import Assembler
from receptor_runner.execution.guardian import JOB
from receptor_runner.execution.guardian_client import Exit, GuardianClient, Program, StopContainer, Stopped
from receptor_runner.execution.limits import Limits, LimitWatch
from receptor_runner.execution.program_output import ProgramOutput
from receptor_runner.execution.prompts import Answers
from receptor_runner.execution.terminal import Terminal
from receptor_runner.system.cancel import CancelToken

TICK_S = 0.25
RC_INTERRUPTED = 99
"""The exit code of Ansible after Ctrl-C."""


class Session:
    """Runs programs in a terminal, each from its start until its last output is read.

    Args:
        guardian: starts and stops them.
        assembler: receives their text and events.
        answers: the answers to their prompts.
        limits: when to stop them.
        stop: requests that they be stopped.
        on_prompt: called with a prompt that no password matches, soon after it was printed.
    """

    def __init__(
        self,
        *,
        guardian: GuardianClient,
        assembler: Assembler,
        answers: Answers,
        limits: Limits,
        stop: CancelToken,
        on_prompt: Callable[[str], None],
    ) -> None:
        self._guardian = guardian
        self._assembler = assembler
        self._answers = answers
        self._limits = limits
        self._stop = stop
        self._on_prompt = on_prompt

    def run(self, program: Program, channel: EventChannel) -> End:
        """Run a program to its end.

        Args:
            program: what to run; the terminal and the channel are added to its descriptors.
            channel: how its events come; closed at the end.

        Raises:
            OSError: it cannot be started.
        """
        with closing(channel), closing(Terminal()) as terminal:
            own = {0: terminal.slave, 1: terminal.slave, 2: terminal.slave, **channel.descriptors}
            descriptors = {**own, **program.descriptors}
            self._guardian.spawn(replace(program, name=JOB, terminal=True, descriptors=descriptors))
            dialog = Dialog(
                self._answers,
                terminal,
                channel,
                has_unfinished_line=lambda: bool(self._assembler.unfinished_line),
                pid=lambda: self._guardian.pid,
            )
            return _Running(
                guardian=self._guardian,
                output=ProgramOutput(self._assembler, terminal, channel, dialog),
                dialog=dialog,
                watch=LimitWatch(self._limits, dialog, self._on_prompt),
                stop=self._stop,
                ends_with_stop=isinstance(program.stop, StopContainer),
            ).until_end()


class _Running:
    """One program that was started, until its end.

    Args:
        guardian: started it, stops it, and reports its end.
        output: what it prints.
        dialog: its prompts.
        watch: its limits.
        stop: requests that it be stopped.
        ends_with_stop: whether something of it outlives its own exit, and is stopped then.
    """

    def __init__(
        self,
        *,
        guardian: GuardianClient,
        output: ProgramOutput,
        dialog: Dialog,
        watch: LimitWatch,
        stop: CancelToken,
        ends_with_stop: bool,
    ) -> None:
        self._guardian = guardian
        self._output = output
        self._dialog = dialog
        self._watch = watch
        self._stop = stop
        self._ends_with_stop = ends_with_stop
        self._cause: Cause | None = None
        self._last_line = ""
        self._exit: Exit | None = None
        self._stopping = False
        self._stopped: Stopped | None = None

    def until_end(self) -> End:
        """Follow the program, read its last output, and return its end."""
        self._follow()
        self._output.drain()
        return End(
            cause=self._why(),
            exit=self._exit,
            left=tuple(self._stopped.left) if self._stopped else (),
            undone=tuple(self._stopped.undone) if self._stopped else (),
            last_line=self._last_line,
            last_text=self._output.last_text,
        )

    def _why(self) -> Cause:
        """Return why the program ended; a signal to the worker may have reached the program too, and ended it."""
        if self._cause is None and self._stop.requested and self._exit:
            stopped = self._exit.code < 0 or self._exit.code == RC_INTERRUPTED
            return Cause.CANCELED if stopped else Cause.EXITED
        return self._cause or Cause.EXITED

    def _follow(self) -> None:
        watched = (self._guardian.fileno(), self._stop.fileno(), self._output.terminal)
        arrivals = Arrivals(*watched, events=self._output.channel)
        while not self._has_ended():
            ready = arrivals.wait(self._pause_s())
            if self._output.read(ready):
                self._watch.output_arrived()
            if self._output.channel in ready and self._output.may_wait:
                arrivals.collect_events()
            self._dialog.answer()
            if not self._stopping and (cause := self._due(ready)):
                self._cause, self._last_line = cause, self._dialog.last_line
                arrivals.ignore(self._stop.fileno())
                self._stop_all()
            if self._guardian.fileno() in ready or self._guardian.has_report:
                self._take_reports()

    def _due(self, ready: set[int]) -> Cause | None:
        return Cause.CANCELED if self._stop.fileno() in ready else self._watch.exceeded()

    def _has_ended(self) -> bool:
        return self._stopped is not None if self._stopping else self._exit is not None

    def _stop_all(self) -> None:
        self._stopping = True
        self._guardian.stop()

    def _pause_s(self) -> float:
        return 0 if self._guardian.has_report else TICK_S

    def _take_reports(self) -> None:
        for report in self._guardian.reports():
            if isinstance(report, Stopped):
                self._stopped = report
            elif report.name == JOB:
                self._exit = report
                # A killed program left its children behind, and a container outlives the client of its engine.
                if (report.code < 0 or self._ends_with_stop) and not self._stopping:
                    self._stop_all()
