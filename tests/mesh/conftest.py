"""What the mesh tests share: the real daemon, meshes of three nodes, and our commands asked of one of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Commands, Finished, Project, wait_until

from mesh_lab import Daemon, Mesh

MESH_START_S = 90.0


@pytest.fixture(scope="session")
def receptor_bin() -> str:
    """The path of the real daemon; the test is skipped where there is none."""
    found = os.environ.get("RECEPTOR_BIN") or shutil.which("receptor")
    if not found:
        pytest.skip("the receptor daemon is neither in RECEPTOR_BIN nor on PATH")
    return found


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A directory with a short name, removed at the end."""
    directory = Path(tempfile.mkdtemp(prefix="rr", dir="/tmp"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def start_meshes(home: Path, *meshes: Mesh) -> None:
    """Start meshes, side by side, whose nodes have a home of their own."""
    with pytest.MonkeyPatch.context() as environment, ThreadPoolExecutor() as pool:
        environment.setenv("HOME", str(home))
        list(pool.map(lambda mesh: mesh.start(timeout_s=MESH_START_S), meshes))


@dataclass
class Meshes:
    """The meshes that the tests of one process share, each started when it is first wanted.

    In all of them the hop may have work done too, so that the worker is one hop away from it.
    """

    directory: Path
    running: dict[str, Mesh] = field(default_factory=dict)

    def get(self, kind: str) -> Mesh:
        """Return the running mesh of a kind: plain, tls or tls-signed."""
        if kind not in self.running:
            mesh = Mesh(self.directory / kind)
            mesh.write(tls="tls" in kind, signed="signed" in kind, hop_submits=True)
            self.running[kind] = mesh
            start_meshes(self.directory, mesh)
        return self.running[kind]

    def close(self) -> None:
        """Stop them."""
        for mesh in self.running.values():
            mesh.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture(scope="session")
def meshes(receptor_bin: str) -> Iterator[Meshes]:
    """The shared meshes."""
    made = Meshes(Path(tempfile.mkdtemp(prefix="rr", dir="/tmp")))
    yield made
    made.close()


@pytest.fixture
def make_mesh(receptor_bin: str, short_dir: Path) -> Iterator[Callable[..., Mesh]]:
    """Write a mesh of the test's own, not started yet; the arguments are those of `Mesh.write`."""
    made: list[Mesh] = []

    def make(**options: Any) -> Mesh:
        mesh = Mesh(short_dir / f"m{len(made)}")
        mesh.write(**options)
        made.append(mesh)
        return mesh

    yield make
    for mesh in made:
        mesh.stop()


@pytest.fixture
def own_mesh(make_mesh: Callable[..., Mesh], short_dir: Path) -> Mesh:
    """A running plain mesh that the test may damage."""
    mesh = make_mesh()
    start_meshes(short_dir, mesh)
    return mesh


@dataclass
class Client:
    """Our commands, for one project, asked of one node."""

    commands: Commands
    project: Project
    asked: Daemon

    def ask(self, command: str, *words: str) -> Finished:
        """Run a command to its end."""
        return self.commands.ours(command, self.project.path, *words, *self._where(command))

    def start(self, command: str, *words: str) -> subprocess.Popen[bytes]:
        """Start a command that goes on beside the test."""
        return self.commands.start(command, self.project.path, *words, *self._where(command))

    def _where(self, command: str) -> list[str]:
        return ["--socket", str(self.asked.socket)] if command in {"run", "submit"} else []

    def record_or_none(self, ident: str = "job") -> dict[str, Any] | None:
        """Return the record of a job, or None as long as there is none."""
        return self.record(ident) if (self.project.artifacts(ident) / "unit.json").exists() else None

    def record(self, ident: str = "job") -> dict[str, Any]:
        """Return the record of a job."""
        read: dict[str, Any] = json.loads((self.project.artifacts(ident) / "unit.json").read_bytes())
        return read

    def await_events(self, count: int, ident: str = "job") -> None:
        """Wait until so many events of a job have come."""
        events = self.project.artifacts(ident) / "job_events"
        wait_until(lambda: len(list(events.glob("*.json"))) >= count, f"{count} events of {ident}")

    def read(self, name: str, ident: str = "job") -> str:
        """Return the text of an artifact."""
        return (self.project.artifacts(ident) / name).read_text()


@pytest.fixture
def client_of(commands: Commands, project: Project) -> Callable[[Daemon], Client]:
    """Make a client of a node."""
    return lambda asked: Client(commands, project, asked)


def units_of(*daemons: Daemon) -> dict[str, list[str]]:
    """Return what units nodes have, in their own words and on their disks."""
    found = {}
    for daemon in daemons:
        on_disk = [path.parent.name for path in daemon.directory.glob(f"units/{daemon.name}/*/status")]
        found[daemon.name] = sorted({*daemon.ask("work list"), *on_disk})
    return found


def assert_no_units(mesh: Mesh) -> None:
    """No node of a mesh has a unit, or has one for long."""
    wait_until(lambda: not any(units_of(*mesh.daemons).values()), f"no units: {units_of(*mesh.daemons)}")


def await_cut(mesh: Mesh) -> None:
    """Wait until no way leads from the control node to the worker any more."""
    wait_until(lambda: "worker" not in mesh.control.ask("status")["RoutingTable"], "the link is cut", 60)


def processes_with(word: str) -> list[int]:
    """Return the processes that have a word in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes() if entry.name.isdecimal() else b""
        except OSError:
            continue
        if word.encode() in words:
            found.append(int(entry.name))
    return found
