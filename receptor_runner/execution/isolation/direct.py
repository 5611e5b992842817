"""No isolation: the command runs as it is, in the worker's own environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from receptor_runner.execution.command import CALLBACK_DIRECTORY, Plan
from receptor_runner.execution.end import End
from receptor_runner.execution.event_channel import DESCRIPTOR, VARIABLE, EventChannel
from receptor_runner.execution.guardian_client import GuardianClient, Program
from receptor_runner.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """The engine that isolates nothing: every path is where it is, and the events come through a descriptor."""

    @property
    def shares_paths(self) -> bool:
        """Return True."""
        return True

    @property
    def callback_directory(self) -> Path:
        """The plugin's directory in the package."""
        return CALLBACK_DIRECTORY

    def base_environment(self, worker: Mapping[str, str]) -> Mapping[str, str]:
        """Return the worker's environment."""
        return worker

    def inside(self, path: Path) -> Path:
        """Return the path itself."""
        return path

    def shared(self, path: Path) -> Path:
        """Return the path itself."""
        return path

    def working_directory(self, planned: Path) -> Path:
        """Return the planned one."""
        return planned

    def open(self, guardian: GuardianClient) -> None:
        """Create nothing."""

    def preparation(self) -> Program | None:
        """Return None: nothing has to run before."""
        return None

    def wrap(self, plan: Plan) -> Program:
        """Return the program of the plan."""
        return Program(
            name=plan.command[0],
            argv=plan.command,
            env={**plan.env, VARIABLE: str(DESCRIPTOR)},
            cwd=plan.cwd,
            terminal=True,
            descriptors={},
        )

    def open_channel(self) -> EventChannel:
        """Open a pipe that the job inherits."""
        return EventChannel.inherited()

    def judge(self, program: Program, end: End) -> Outcome | None:
        """Return None: the exit status of the program is that of the job."""
        return None

    def close(self) -> None:
        """Remove nothing."""
