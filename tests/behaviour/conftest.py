"""One way to run a job over every transport: the bare pipe, the embedded node, and the real daemon."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor_config.render import render
from tests.conftest import BIN, LOCALHOST, Commands, Project, ServedNode, kill_processes_of, wait_until

OURS = str(BIN / "receptor-runner")
NOISY = f"""#!/bin/sh
echo 'a warning of the node: clock skew' >&2
{OURS} worker "$@"
code=$?
echo 'another warning of the node' >&2
exit $code
"""
NODE_KINDS = ["embedded", pytest.param("receptor", marks=pytest.mark.receptor)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A job that was run to its end.

    Attributes:
        rc: the exit code of the last command.
        artifacts: the artifacts directory.
        text: what was printed on stdout.
        stderr: what was printed on stderr.
    """

    rc: int
    artifacts: Path
    text: str
    stderr: str

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


def read_events(artifacts: Path) -> list[dict[str, Any]]:
    """Return the events of an artifacts directory, in the order of their counters."""
    found = [json.loads(path.read_bytes()) for path in (artifacts / "job_events").glob("*.json")]
    return sorted(found, key=lambda event: int(event["counter"]))


class Transport(Protocol):
    """Runs a job to its end, whatever lies between."""

    @property
    def kind(self) -> str:
        """Which way it is."""

    def run(
        self, project: Project, *words: str, ident: str | None = "job", worker: str = "receptor-runner"
    ) -> Ran:
        """Run the job that `words` describe; `worker` is the work type."""


@dataclass
class Pipe:
    """transmit | worker | process, with nothing between."""

    environment: dict[str, str]
    workers: dict[str, list[str]]
    kind: str = "pipe"

    def run(
        self, project: Project, *words: str, ident: str | None = "job", worker: str = "receptor-runner"
    ) -> Ran:
        """Run the three phases, each reading from the one before."""
        named = ["-i", ident] if ident else []
        transmit = self._start([OURS, "transmit", str(project.path), *words, *named], None)
        work = self._start(self.workers[worker], transmit, noise=subprocess.STDOUT)
        process = self._start([OURS, "process", str(project.path), *named], work)
        text, stderr = (piece.decode() for piece in process.communicate(timeout=100))
        for phase in (transmit, work):
            phase.wait(20)
            stderr += phase.stderr.read().decode() if phase.stderr else ""
            close(phase)
        return Ran(rc=process.returncode, artifacts=project.artifacts(ident or ""), text=text, stderr=stderr)

    def _start(
        self, words: list[str], source: subprocess.Popen[bytes] | None, noise: int = subprocess.PIPE
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            words,
            stdin=source.stdout if source else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=noise,
            env=self.environment,
        )
        if source and source.stdout:
            source.stdout.close()
        return process


def close(process: subprocess.Popen[bytes]) -> None:
    """Close what is left open of a process's pipes."""
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()


@dataclass
class Through:
    """`receptor-runner run` through a node."""

    environment: dict[str, str]
    node: ServedNode

    @property
    def kind(self) -> str:
        """Which node it is."""
        return self.node.kind

    def run(
        self, project: Project, *words: str, ident: str | None = "job", worker: str = "receptor-runner"
    ) -> Ran:
        """Run the job through the node, by the named work type."""
        options = [word.replace("--json", "--json-mode") if word == "--json" else word for word in words]
        options += ["-i", ident] if ident else []
        where = ["--socket", str(self.node.socket), "--work-type", worker]
        done = Commands(self.environment, project.path.parent).ours("run", project.path, *options, *where)
        artifacts = project.artifacts(ident) if ident else only_entry(project.path / "artifacts")
        return Ran(rc=done.rc, artifacts=artifacts, text=done.text, stderr=done.stderr)


def only_entry(directory: Path) -> Path:
    """Return the one thing in a directory."""
    (entry,) = directory.iterdir()
    return entry


def release_all(node: ServedNode) -> None:
    """Release what failed tests left on a node, which stops it."""
    control = Control(str(node.socket))
    for unit_id in control.units():
        control.release(unit_id)


@dataclass
class Shared:
    """What the tests of one process share: an environment, and at most one node of each kind.

    A job's own files are its test's; nodes and work types are used by all.
    """

    directory: Path
    environment: dict[str, str]
    workers: dict[str, list[str]]
    nodes: dict[str, ServedNode] = field(default_factory=dict)

    def node(self, kind: str) -> ServedNode:
        """Return the running node of a kind, started if need be."""
        if kind not in self.nodes:
            self.nodes[kind] = self._serve(kind)
        return self.nodes[kind]

    def _serve(self, kind: str) -> ServedNode:
        directory = self.directory / kind
        directory.mkdir(exist_ok=True)
        settings = {
            "datadir": str(directory / "data"),
            "socket": str(directory / "control.sock"),
            "command": OURS,
            **{
                f"work.{name}": " ".join(words)
                for name, words in self.workers.items()
                if name != "receptor-runner"
            },
        }
        config = directory / "receptor.yml"
        config.write_text(render("local", settings))
        node = ServedNode(kind, directory / "control.sock", config, directory / "data", self.environment)
        node.start()
        return node

    def close(self) -> None:
        """Stop the nodes and what they started."""
        for node in self.nodes.values():
            release_all(node)
            node.close()
        kill_processes_of(self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture(scope="session")
def shared() -> Iterator[Shared]:
    """The shared environment and nodes."""
    directory = Path(tempfile.mkdtemp(prefix="rr-", dir="/tmp"))
    noisy = directory / "noisy"
    noisy.write_text(NOISY)
    noisy.chmod(0o755)
    (directory / "home").mkdir()
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}
    made = Shared(
        directory,
        kept | {"HOME": str(directory / "home"), "PATH": f"{BIN}:{os.environ['PATH']}"},
        {
            "receptor-runner": [OURS, "worker"],
            "ansible-runner": [str(BIN / "ansible-runner"), "worker"],
            "noisy": [str(noisy)],
        },
    )
    yield made
    made.close()


@pytest.fixture(params=["pipe", *NODE_KINDS])
def transport(request: pytest.FixtureRequest, shared: Shared) -> Transport:
    """Each way to run a job, in turn."""
    if request.param == "pipe":
        return Pipe(shared.environment, shared.workers)
    return Through(shared.environment, shared.node(str(request.param)))


@pytest.fixture(params=NODE_KINDS)
def served(request: pytest.FixtureRequest, shared: Shared) -> ServedNode:
    """A shared running node, of each kind in turn."""
    return shared.node(str(request.param))


@dataclass
class Client:
    """Our commands, asked of one node for one project."""

    commands: Commands
    project: Project
    node: ServedNode

    def start(self, command: str, *words: str) -> subprocess.Popen[bytes]:
        """Start a command that goes on beside the test."""
        return self.commands.start(command, self.project.path, *words, *self._where(command))

    def ask(self, command: str, *words: str) -> Ran:
        """Run a command to its end."""
        done = self.commands.ours(command, self.project.path, *words, *self._where(command))
        artifacts = self.project.artifacts("job")
        return Ran(rc=done.rc, artifacts=artifacts, text=done.text, stderr=done.stderr)

    def _where(self, command: str) -> list[str]:
        return ["--socket", str(self.node.socket)] if command in {"run", "submit"} else []

    def jobs(self) -> list[dict[str, Any]]:
        """Return what `jobs --json` says."""
        found: list[dict[str, Any]] = json.loads(self.ask("jobs", "--json").text)["jobs"]
        return found

    def await_holder(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until a process holds the job: it is the one that follows it."""
        lock = self.project.artifacts("job") / "unit.lock"
        wait_until(lambda: lock.read_text() == str(process.pid), "the process follows the job")

    def units(self) -> set[str]:
        """Return the units on the node."""
        return set(Control(str(self.node.socket)).units())


@pytest.fixture
def client(shared: Shared, served: ServedNode, project: Project) -> Iterator[Client]:
    """Our commands, asked of a node of each kind in turn."""
    commands = Commands(shared.environment, project.path.parent)
    yield Client(commands, project, served)
    commands.close()


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[[str], Project]:
    """Make further projects with one local host."""

    def make(name: str) -> Project:
        made = Project(tmp_path / name)
        made.write("inventory/hosts", LOCALHOST)
        return made

    return make
