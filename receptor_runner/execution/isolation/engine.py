"""What the rest of execution knows of an engine: the protocol that each kind fulfills."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from receptor_runner.execution.command import Plan
from receptor_runner.execution.end import End
from receptor_runner.execution.event_channel import EventChannel
from receptor_runner.execution.guardian_client import GuardianClient, Program
from receptor_runner.outcome import Outcome


class Isolation(Protocol):
    """One job's isolation: how its command is wrapped, how its events get out, how it is stopped, what it leaves.

    An object is made for one job. Making it checks the job's options and touches nothing; `open` creates what the job
    needs on this machine, `close` removes that again, and may be called at any time.
    """

    @property
    def shares_paths(self) -> bool:
        """Whether the job sees the programs, paths and environment of this machine."""

    @property
    def callback_directory(self) -> Path:
        """Where the job finds the callback plugin."""

    def base_environment(self, worker: Mapping[str, str]) -> Mapping[str, str]:
        """Return what the job's own variables are added to.

        Args:
            worker: the environment of the worker.
        """

    def inside(self, path: Path) -> Path:
        """Return where the job finds a path of this machine."""

    def shared(self, path: Path) -> Path:
        """Return where the job finds something in a directory made for it, such as the socket of the SSH agent."""

    def working_directory(self, planned: Path) -> Path:
        """Return the working directory of the job.

        Args:
            planned: the one without isolation, on this machine.
        """

    def open(self, guardian: GuardianClient) -> None:
        """Create what the job needs, known to the guardian, so that nothing is left if the worker is killed."""

    def preparation(self) -> Program | None:
        """Return a program that has to succeed before the job starts, or None.

        Raises:
            RunnerError: the engine cannot be asked whether one is needed.
        """

    def wrap(self, plan: Plan) -> Program:
        """Return the program that carries out a plan inside."""

    def open_channel(self) -> EventChannel:
        """Open the channel on which the events of the wrapped program come."""

    def judge(self, program: Program, end: End) -> Outcome | None:
        """Return the outcome of one of its programs where the engine, not the job, decided it; else None."""

    def close(self) -> None:
        """Remove what `open` created, and whatever the job left in the engine."""
