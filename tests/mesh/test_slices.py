"""One job over three workers of a real mesh: a node that dies costs its own slice, which runs again alone."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.harness import Commands, Finished, Gate, Project, ask_node, finish, wait_until
from tests.mesh.conftest import Mesh, assert_no_units, start_meshes

pytestmark = pytest.mark.receptor

STAR = """
name: three workers
tls: false
signed: false
nodes:
  control: {role: control}
  worker1: {role: worker, peers: [control]}
  worker2: {role: worker, peers: [control]}
  worker3: {role: worker, peers: [control]}
"""
HOSTS = "".join(
    f'{name} ansible_connection=local ansible_python_interpreter="{{{{ ansible_playbook_python }}}}"\n'
    for name in ("a", "b", "c")
)


class Star:
    """A mesh with three workers, and a project with three hosts whose jobs wait at a gate.

    Attributes:
        mesh: the mesh.
        gate: the gate.
    """

    def __init__(self, mesh: Mesh, commands: Commands, project: Project, gate: Gate) -> None:
        self.mesh = mesh
        self.gate = gate
        self._commands = commands
        self._project = project
        project.write("inventory/hosts", HOSTS)
        project.playbook(f"- shell: {json.dumps(gate.script)}")

    def words(self, *more: str) -> list[str]:
        """Return the command that runs the sliced job, and more words for it."""
        socket = str(self.mesh.control.socket)
        return ["run", str(self._project.path), "-p", "test.yml", "-i", "job", "--socket", socket, *more]

    def run(self, *more: str) -> Finished:
        """Run it to the end."""
        return self._commands.ours(*self.words(*more))

    def start(self, *more: str) -> Any:
        """Start it beside the test."""
        return self._commands.start(*self.words(*more))

    def column(self, name: str) -> list[Any]:
        """Return one fact of each slice."""
        index = json.loads((self._project.artifacts("job") / "slices.json").read_bytes())
        return [entry[name] for entry in index["slices"]]


@pytest.fixture
def star(make_mesh: Callable[..., Mesh], commands: Commands, project: Project, tmp_path: Path) -> Star:
    """The mesh, running."""
    mesh = make_mesh(STAR)
    start_meshes(mesh)
    gate = Gate(tmp_path / "gate")
    gate.directory.mkdir()
    return Star(mesh, commands, project, gate)


@pytest.mark.slow
def test_a_node_that_dies_costs_its_slice_alone(star: Star) -> None:
    """The others finish, the lost slice is named and counts; run again alone, it makes the sliced job good."""
    running = star.start("--nodes-of-type", "receptor-runner", "--node-timeout", "10")
    wait_until(lambda: star.gate.runs == 3, "all slices are at the gate", 60)
    star.mesh.daemon("worker2").stop(signal.SIGKILL)
    star.gate.open()
    done = finish(running, 90)
    assert done.rc == 75, done.stderr
    assert star.column("status") == ["successful", "lost", "successful"]
    assert star.column("node") == ["worker1", "worker2", "worker3"]
    assert "slice 2 on worker2: lost" in done.stderr
    assert "hosts: b" in done.stderr
    star.mesh.daemon("worker2").start()
    again = star.run("--rerun-slice", "2")
    assert again.rc == 0, again.stderr
    assert star.column("status") == ["successful"] * 3
    assert star.column("node")[1] == "worker2"
    assert star.gate.runs == 4
    assert_no_units(star.mesh)


@pytest.mark.slow
def test_a_slice_that_cannot_start_goes_to_another_node(star: Star) -> None:
    """A worker that is down takes no slice; one that is not known is an error before anything runs."""
    unknown = star.run("--node", "worker1", "--node", "worker9")
    assert (unknown.rc, "unknown node `worker9`" in unknown.stderr) == (69, True)
    assert star.gate.runs == 0
    star.gate.open()
    star.mesh.daemon("worker2").stop()
    control = star.mesh.control.socket
    wait_until(lambda: "worker2" not in ask_node(control, "status")["RoutingTable"], "the route is gone", 60)
    done = star.run("--node", "worker1", "--node", "worker2", "--retry-deadline", "2")
    assert done.rc == 0, done.stderr
    assert star.column("target") == ["worker1", "worker1"]
    assert "slice 2 could not start on worker2" in done.stderr
