"""A job that waits until the test lets it go on."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.harness.waiting import wait_until


@dataclass
class Gate:
    """A job that notes each of its runs, and then waits until the test opens the gate.

    Attributes:
        directory: where job and test meet: `runs`, `waiting`, `open`.
    """

    directory: Path

    @property
    def script(self) -> str:
        """What the job does, for a POSIX shell."""
        where = shlex.quote(str(self.directory))
        return f"cd {where}; printf x >> runs; touch waiting; while [ ! -e open ]; do sleep 0.05; done"

    @property
    def runs(self) -> int:
        """How often the job has started."""
        path = self.directory / "runs"
        return len(path.read_text()) if path.exists() else 0

    @property
    def is_waiting(self) -> bool:
        """Whether the job has come to the gate."""
        return (self.directory / "waiting").exists()

    def await_job(self) -> None:
        """Wait until the job is at the gate."""
        wait_until(lambda: self.is_waiting, "the job waits at its gate")

    def open(self) -> None:
        """Let the job go on."""
        (self.directory / "open").touch()
