"""One way to run a job over every transport: the bare pipe, the embedded node, and the real daemon."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.harness.commands import Commands, Finished, finish
from tests.harness.environment import OURS
from tests.harness.nodes import ServedNode
from tests.harness.projects import Project, read_events

WORKER = "receptor-runner"


@dataclass
class Ran(Finished):
    """A job that was run to its end: how the last command ended, and the artifacts."""

    artifacts: Path

    def read(self, name: str) -> str:
        """Return the text of an artifact."""
        return (self.artifacts / name).read_bytes().decode()

    def events(self) -> list[dict[str, Any]]:
        """Return the events, in the order of their counters."""
        return read_events(self.artifacts)

    def named(self, event: str) -> list[dict[str, Any]]:
        """Return the events of one kind."""
        return [found for found in self.events() if found["event"] == event]

    def everything(self) -> str:
        """Return all that was printed and all artifacts as one text, to look for what must not be there."""
        kept = [path.read_bytes() for path in self.artifacts.rglob("*") if path.is_file()]
        return self.text + self.stderr + b"\n".join(kept).decode(errors="replace")


class Transport(Protocol):
    """Runs a job to its end, whatever lies between."""

    @property
    def kind(self) -> str:
        """Which transport it is."""

    def run(self, project: Project, *words: str, ident: str | None = "job", worker: str = WORKER) -> Ran:
        """Run the job that `words` describe; `worker` is the work type."""


@dataclass
class Pipe:
    """transmit | worker | process, with nothing between.

    Attributes:
        workers: the worker's command by work type.
    """

    environment: dict[str, str]
    workers: dict[str, list[str]]
    kind: str = "pipe"

    def run(self, project: Project, *words: str, ident: str | None = "job", worker: str = WORKER) -> Ran:
        """Run the three phases, each reading from the one before."""
        named = ["-i", ident] if ident else []
        transmit = self._start([OURS, "transmit", str(project.path), *words, *named], None)
        work = self._start(self.workers[worker], transmit, stderr=subprocess.STDOUT)
        process = self._start([OURS, "process", str(project.path), *named], work)
        done = finish(process, 100)
        for phase in (transmit, work):
            phase.wait(20)
            done.stderr += phase.stderr.read().decode() if phase.stderr else ""
            for stream in (phase.stdout, phase.stderr):
                if stream:
                    stream.close()
        return Ran(done.rc, done.stdout, done.stderr, project.artifacts(ident or ""))

    def _start(
        self, words: list[str], source: subprocess.Popen[bytes] | None, stderr: int = subprocess.PIPE
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            words,
            stdin=source.stdout if source else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=self.environment,
        )
        if source and source.stdout:
            source.stdout.close()
        return process


@dataclass
class Through:
    """`receptor-runner run` through a node."""

    environment: dict[str, str]
    node: ServedNode

    @property
    def kind(self) -> str:
        """Which node it is."""
        return self.node.kind

    def run(self, project: Project, *words: str, ident: str | None = "job", worker: str = WORKER) -> Ran:
        """Run the job through the node, by the named work type."""
        options = ["--json-mode" if word == "--json" else word for word in words]
        options += ["-i", ident] if ident else []
        where = ["--socket", str(self.node.socket), "--work-type", worker]
        done = Commands(self.environment, project.path.parent).ours("run", project.path, *options, *where)
        artifacts = project.artifacts(ident) if ident else only_entry(project.path / "artifacts")
        return Ran(done.rc, done.stdout, done.stderr, artifacts)


def only_entry(directory: Path) -> Path:
    """Return the one thing in a directory."""
    (entry,) = directory.iterdir()
    return entry
