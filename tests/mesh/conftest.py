"""What the mesh tests share: meshes of three real daemons, and our commands for jobs on one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.harness import Client, Commands, Project, short_directory, wait_until

from mesh_lab import Daemon, Mesh

MESH_START_S = 90.0


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


@pytest.fixture(scope="session")
def meshes(receptor_bin: str) -> Iterator[Meshes]:
    """The shared meshes."""
    with short_directory() as directory:
        made = Meshes(directory)
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


@pytest.fixture
def client_of(commands: Commands, project: Project) -> Callable[[Daemon], Client]:
    """Make a client of a node."""
    return lambda daemon: Client(commands, project, daemon.socket)


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
