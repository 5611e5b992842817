"""What the mesh tests share: meshes of real daemons, described by a mesh.yml, and our commands for jobs on them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from receptor_runner.mesh.authority import Authority
from receptor_runner.mesh.description import MeshDescription
from receptor_runner.mesh.local import Daemon, LocalMesh
from receptor_runner.mesh.reading import read_mesh
from tests.harness import Client, Commands, Project, ask_node, short_directory, wait_until

MESH_START_S = 90.0

ROW = """
name: a row of three
tls: false
signed: false
nodes:
  control: {role: control}
  hop: {role: hop, peers: [control]}
  worker: {role: worker, peers: [hop]}
"""

SHARED = """
name: a row of three, of which two submit
tls: %(tls)s
signed: %(signed)s
nodes:
  control: {role: control}
  hop: {role: control, peers: [control]}
  worker: {role: worker, peers: [hop]}
"""


class Mesh(LocalMesh):
    """A mesh on this machine with at least the nodes control, hop and worker."""

    @property
    def control(self) -> Daemon:
        """The node at which jobs are submitted."""
        return self.daemon("control")

    @property
    def hop(self) -> Daemon:
        """The node between the other two."""
        return self.daemon("hop")

    @property
    def worker(self) -> Daemon:
        """The node on which jobs run."""
        return self.daemon("worker")


def mesh_of(text: str, directory: Path) -> Mesh:
    """Return the mesh that a mesh.yml describes, not written yet; the home of its nodes is the directory above it."""
    directory.parent.mkdir(exist_ok=True)
    return Mesh(description_of(text), directory, environment={**os.environ, "HOME": str(directory.parent)})


def description_of(text: str) -> MeshDescription:
    """Return what a mesh.yml describes."""
    reading = read_mesh(text)
    assert reading.description is not None
    assert not reading.errors
    return reading.description


def start_meshes(*meshes: Mesh) -> None:
    """Start meshes, side by side."""
    with ThreadPoolExecutor() as pool:
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
            text = SHARED % {"tls": str("tls" in kind).lower(), "signed": str("signed" in kind).lower()}
            self.running[kind] = mesh_of(text, self.directory / kind)
            start_meshes(self.running[kind])
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
    """Write a mesh of the test's own, not started yet; the argument is a mesh.yml."""
    made: list[Mesh] = []

    def make(text: str = ROW) -> Mesh:
        mesh = mesh_of(text, short_dir / f"m{len(made)}")
        mesh.write()
        made.append(mesh)
        return mesh

    yield make
    for mesh in made:
        mesh.stop()


@pytest.fixture
def own_mesh(make_mesh: Callable[..., Mesh]) -> Mesh:
    """A running plain mesh that the test may damage."""
    mesh = make_mesh()
    start_meshes(mesh)
    return mesh


@pytest.fixture
def client_of(commands: Commands, project: Project) -> Callable[[Daemon], Client]:
    """Make a client of a node."""
    return lambda daemon: Client(commands, project, daemon.socket)


def let_nobody_in(daemon: Daemon) -> None:
    """Change the config of a worker: the only node that may use its control service does not exist."""
    text = daemon.config.read_text()
    changed = text.replace("fromnode: control\n", "fromnode: nobody\n")
    assert changed != text
    daemon.config.write_text(changed)


def set_worker(daemon: Daemon, command: str, params: str = "worker") -> None:
    """Change the config of a worker: another program runs the jobs, or ours with other parameters."""
    text = daemon.config.read_text()
    work = f"command: {command}\n    params: {params}"
    changed = re.sub(r"command: .*\n +params: .*", work, text, count=1)
    assert changed != text
    daemon.config.write_text(changed)


def add_foreign_tls_client(daemon: Daemon, directory: Path) -> None:
    """Change the config of a node: it has one more TLS client, `foreign`, whose authority nobody trusts.

    Args:
        daemon: the node.
        directory: where the certificates go.
    """
    lifetime = timedelta(days=1)
    authority = Authority.create("another", lifetime=lifetime)
    pair = authority.issue([daemon.name], ["127.0.0.1"], lifetime=lifetime)
    contents = {"ca.crt": authority.pair().public, "node.crt": pair.public, "node.key": pair.private}
    for name, content in contents.items():
        (directory / f"foreign-{name}").write_bytes(content)
    with daemon.config.open("a") as config:
        config.write(
            f"\n- tls-client:\n    name: foreign\n    cert: {directory}/foreign-node.crt\n"
            f"    key: {directory}/foreign-node.key\n    rootcas: {directory}/foreign-ca.crt\n"
        )


def units_of(*daemons: Daemon) -> dict[str, list[str]]:
    """Return what units nodes have, in their own words and on their disks."""
    found = {}
    for daemon in daemons:
        on_disk = [path.parent.name for path in daemon.datadir.glob(f"{daemon.name}/*/status")]
        found[daemon.name] = sorted({*ask_node(daemon.socket, "work list"), *on_disk})
    return found


def assert_no_units(mesh: Mesh) -> None:
    """No node of a mesh has a unit, or has one for long."""
    wait_until(lambda: not any(units_of(*mesh.daemons).values()), f"no units: {units_of(*mesh.daemons)}")


def await_cut(mesh: Mesh) -> None:
    """Wait until no way leads from the control node to the worker any more."""
    wait_until(
        lambda: "worker" not in ask_node(mesh.control.socket, "status")["RoutingTable"], "the link is cut", 60
    )
