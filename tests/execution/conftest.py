"""What the tests of execution share: private data dirs with real playbooks, and runs that are recorded."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from receptor_runner.execution.run import execute
from receptor_runner.job import Job
from receptor_runner.outcome import Outcome
from receptor_runner.system.cancel import CancelToken
from tests.harness import LOCALHOST, Project, wait_until

IDENT = "7"


class Told:
    """A sink that keeps what it is told."""

    def __init__(self) -> None:
        self.statuses: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.remarks: list[str] = []

    def status(self, status: dict[str, Any]) -> None:
        """Keep a status."""
        self.statuses.append(status)

    def event(self, event: dict[str, Any]) -> None:
        """Keep an event."""
        self.events.append(event)

    def remark(self, text: str) -> None:
        """Keep a remark."""
        self.remarks.append(text)

    def named(self, event: str) -> list[dict[str, Any]]:
        """Return the events of one kind."""
        return [entry for entry in self.events if entry["event"] == event]

    def wait_for(self, event: str) -> dict[str, Any]:
        """Return the first event of a kind, once it has come."""
        wait_until(lambda: bool(self.named(event)), event)
        return self.named(event)[0]

    @property
    def text(self) -> str:
        """All that was shown."""
        return "\n".join(event["stdout"] for event in self.events)


@dataclass
class Ran:
    """A run, in a thread of its own, and everything that came of it."""

    artifacts: Path
    told: Told = field(default_factory=Told)
    stop: CancelToken = field(default_factory=CancelToken)
    thread: threading.Thread | None = None
    _outcome: Outcome | None = None
    _error: BaseException | None = None

    def perform(self, directory: Path, options: dict[str, Any]) -> None:
        """Run; keep the outcome or the error."""
        try:
            job = Job.from_kwargs(options)
            self._outcome = execute(job, directory, ident=IDENT, sink=self.told, stop=self.stop)
        except BaseException as error:
            self._error = error

    @property
    def outcome(self) -> Outcome:
        """The outcome, once there is one."""
        assert self.thread is not None
        self.thread.join(60)
        if self._error:
            raise self._error
        assert self._outcome is not None
        return self._outcome

    @property
    def output(self) -> str:
        """The file `stdout`."""
        return (self.artifacts / "stdout").read_bytes().decode()


@dataclass
class Workplace(Project):
    """A private data directory whose jobs can be run."""

    runs: list[Ran] = field(default_factory=list)

    def begin(self, **options: Any) -> Ran:
        """Start a run."""
        ran = Ran(self.artifacts(IDENT))
        ran.thread = threading.Thread(target=ran.perform, args=(self.path, options), daemon=True)
        ran.thread.start()
        self.runs.append(ran)
        return ran

    def run(self, **options: Any) -> Ran:
        """Run to the end."""
        ran = self.begin(**options)
        assert ran.outcome
        return ran

    def close(self) -> None:
        """Stop what still runs."""
        for ran in self.runs:
            ran.stop.request()
            assert ran.thread is not None
            ran.thread.join(20)
            ran.stop.close()


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workplace]:
    """A private data dir with an inventory of localhost; ansible is found beside the interpreter."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    monkeypatch.delenv("ANSIBLE_STDOUT_CALLBACK", raising=False)
    made = Workplace(tmp_path / "job")
    made.write("inventory/hosts", LOCALHOST)
    yield made
    made.close()
