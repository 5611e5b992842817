"""Our commands, for the jobs of one project on one node."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from receptor_runner.receptor.control.protocol import Control

from tests.harness.commands import Commands
from tests.harness.projects import Project
from tests.harness.transports import Ran
from tests.harness.waiting import wait_until


@dataclass
class Client:
    """Our commands, for the jobs of one project; the socket of the node goes to those that submit.

    Attributes:
        socket: the control socket of the local node.
    """

    commands: Commands
    project: Project
    socket: Path

    def start(self, command: str, *words: str) -> subprocess.Popen[bytes]:
        """Start a command that goes on beside the test."""
        return self.commands.start(command, self.project.path, *words, *self._where(command))

    def ask(self, command: str, *words: str) -> Ran:
        """Run a command to its end."""
        done = self.commands.ours(command, self.project.path, *words, *self._where(command))
        return Ran(done.rc, done.stdout, done.stderr, self.project.artifacts("job"))

    def _where(self, command: str) -> list[str]:
        return ["--socket", str(self.socket)] if command in {"run", "submit"} else []

    def jobs(self) -> list[dict[str, Any]]:
        """Return what `jobs --json` says."""
        found: list[dict[str, Any]] = json.loads(self.ask("jobs", "--json").text)["jobs"]
        return found

    def record(self, ident: str = "job") -> dict[str, Any]:
        """Return the record of a job; {} while there is none."""
        return self.project.record(ident)

    def read(self, name: str, ident: str = "job") -> str:
        """Return the text of an artifact."""
        return (self.project.artifacts(ident) / name).read_text()

    def units(self) -> set[str]:
        """Return the units on the node."""
        return set(Control(str(self.socket)).units())

    def await_holder(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until a process holds the lock of the job: it follows the job from then on."""
        lock = self.project.artifacts("job") / "unit.lock"
        wait_until(lambda: lock.read_text() == str(process.pid), "the process follows the job")

    def await_events(self, count: int, ident: str = "job") -> None:
        """Wait until so many events of a job have come."""
        events = self.project.artifacts(ident) / "job_events"
        wait_until(lambda: len(list(events.glob("*.json"))) >= count, f"{count} events of {ident}")
