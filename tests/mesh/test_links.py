"""Nodes and links that break while a job runs on the worker: complete, nothing twice, or lost with an explanation."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from receptor_runner.mesh.local import Daemon
from tests.harness import LOCALHOST, OURS, Client, Commands, Project, PseudoTerminal, ask_node, wait_until
from tests.mesh.conftest import ROW, Mesh, assert_no_units, await_cut, start_meshes, units_of

pytestmark = [pytest.mark.receptor, pytest.mark.slow, pytest.mark.timeout(240)]

STEPS = 25
LONGEST_WAIT_S = 200
"""A mesh that breaks under a result stream resumes it once its connections have timed out, after up to a minute."""


class Scene:
    """A mesh of its own with a job that talks for several seconds; one of its daemons breaks meanwhile.

    Args:
        mesh: a running mesh.
        client: our commands, asked of its control node.
        directory: to work in.
    """

    def __init__(self, mesh: Mesh, client: Client, directory: Path) -> None:
        self.mesh = mesh
        self._client = client
        self._directory = directory
        client.project.playbook(
            "- command: sh -c 'sleep 0.2; echo step {{ item }} of many'\n"
            f'  loop: "{{{{ range({STEPS}) | list }}}}"\n'
            "- debug: msg='the end'"
        )
        self._running = client.start("run", "-p", "test.yml", "-i", "job", "--node", "worker")

    def keep_what_is_sent(self) -> None:
        """Keep what the worker sends although its unit will be released."""
        self._client.await_events(6)
        unit = ask_node(self.mesh.control.socket, f"work status {self._client.record()['unit_id']}")
        sent = self.mesh.worker.datadir / "worker" / unit["ExtraData"]["RemoteUnitID"] / "stdout"
        os.link(sent, self._directory / "sent")

    def assert_complete(self) -> None:
        """The job ends well; its artifacts are those of what was sent, and nothing was shown twice."""
        shown, stderr = self._running.communicate(timeout=LONGEST_WAIT_S)
        assert (self._running.returncode, self._client.read("status")) == (0, "successful"), stderr
        arrived = read_tree(self._client.project.artifacts("job"))
        assert arrived == self._undisturbed()
        assert shown.count(b"step ") == arrived["stdout"].count(b"step ")
        assert b"the end" in arrived["stdout"]
        assert_no_units(self.mesh)

    def _undisturbed(self) -> dict[str, bytes]:
        """Return the artifacts that `process` makes of what was sent."""
        target = Project(self._directory / "undisturbed")
        sent = (self._directory / "sent").read_bytes()
        done = self._client.commands.ours("process", target.path, "-i", "job", stdin=sent)
        assert done.rc == 0, done.stderr
        return read_tree(target.artifacts("job"))


def read_tree(directory: Path) -> dict[str, bytes]:
    """Return the artifacts of a job by name, the record of how it was followed aside."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and not path.name.startswith("unit.")
    }


@pytest.fixture
def scenes(make_mesh: Callable[..., Mesh], commands: Commands, tmp_path: Path) -> dict[str, Scene]:
    """A scene for each daemon that can break, so that their long waits pass side by side."""
    made = {}
    meshes = {broken: make_mesh() for broken in ("control", "hop", "worker")}
    start_meshes(*meshes.values())
    for broken, mesh in meshes.items():
        directory = tmp_path / broken
        project = Project(directory / "pdd")
        project.write("inventory/hosts", LOCALHOST)
        made[broken] = Scene(mesh, Client(commands, project, mesh.control.socket), directory)
    return made


def test_a_daemon_dies_and_comes_back(scenes: dict[str, Scene]) -> None:
    """The local node, the hop or the worker is killed under the results: all is there, and nothing twice.

    A client that follows goes on with the local node when it is back; the local node goes on with the others.
    """
    for scene in scenes.values():
        scene.keep_what_is_sent()
    for broken, scene in scenes.items():
        scene.mesh.daemon(broken).stop(signal.SIGKILL)
    for broken in ("hop", "worker"):
        await_cut(scenes[broken].mesh)
    for broken, scene in scenes.items():
        scene.mesh.daemon(broken).start()

    for scene in scenes.values():
        scene.assert_complete()


@pytest.fixture
def endless(own_mesh: Mesh, client_of: Callable[[Daemon], Client]) -> Client:
    """Our commands, asked of the control node, for a job that does not end by itself."""
    client = client_of(own_mesh.control)
    client.project.playbook("- debug: msg=started\n- command: sleep 300")
    return client


def test_a_unit_that_somebody_else_removes(own_mesh: Mesh, endless: Client) -> None:
    """A unit that is released on the worker behind our back ends as canceled or as lost, and says who did it.

    Which of the two depends on whether the daemon still passes the worker's final status on before the unit is gone.
    """
    running = endless.start("run", "-p", "test.yml", "-i", "job", "--node", "worker")
    endless.await_events(4)

    release_all(own_mesh.worker)
    _, stderr = running.communicate(timeout=LONGEST_WAIT_S)

    if (running.returncode, endless.read("status")) == (254, "canceled"):
        assert b"by another client" in stderr
    else:
        assert (running.returncode, endless.read("status")) == (75, "lost"), stderr
        assert b"the job is lost" in stderr
    assert_no_units(own_mesh)


@pytest.fixture
def silent_mesh(make_mesh: Callable[..., Mesh], short_dir: Path) -> Mesh:
    """A mesh whose worker has a work type that begins to answer and dies without a final status."""
    silent = short_dir / "silent"
    silent.write_text('#!/bin/sh\necho \'{"status": "starting", "command": []}\'\nexec sleep 300\n')
    silent.chmod(0o755)
    mesh = make_mesh(ROW.replace("peers: [hop]", f"peers: [hop], work_types: {{silent: {silent}}}"))
    start_meshes(mesh)
    return mesh


def test_a_unit_that_is_gone_without_a_last_word(
    silent_mesh: Mesh, client_of: Callable[[Daemon], Client]
) -> None:
    """If nothing more comes of a unit that was removed, the job is lost, and its unit here is removed too."""
    client = client_of(silent_mesh.control)
    running = client.start("run", "-p", "test.yml", "-i", "job", "--node", "worker", "--work-type", "silent")
    wait_until(lambda: client.record().get("checkpoint", {}).get("status") == "starting", "it runs")

    release_all(silent_mesh.worker)
    _, stderr = running.communicate(timeout=LONGEST_WAIT_S)

    assert running.returncode == 75, stderr
    assert b"its unit on node `worker` was removed by another client" in stderr
    assert (client.record()["outcome"]["status"], client.record()["released"]) == ("lost", True)
    assert_no_units(silent_mesh)


def release_all(daemon: Daemon) -> None:
    """Release every unit of a node."""
    for unit_id in ask_node(daemon.socket, "work list"):
        ask_node(daemon.socket, f"work release {unit_id}")


def test_a_node_that_stays_away(own_mesh: Mesh, endless: Client) -> None:
    """A worker that leaves the mesh for longer than the node timeout is a lost job, released when it comes back."""
    running = endless.start("run", "-p", "test.yml", "-i", "job", "--node", "worker", "--node-timeout", "3")
    endless.await_events(4)

    own_mesh.worker.stop(signal.SIGKILL)
    _, stderr = running.communicate(timeout=LONGEST_WAIT_S)

    assert running.returncode == 75, stderr
    assert b"node `worker` left the mesh" in stderr
    assert endless.record()["outcome"]["status"] == "lost"
    own_mesh.worker.start()
    wait_until(lambda: not any(units_of(*own_mesh.daemons).values()), "the units are gone", LONGEST_WAIT_S)


def test_a_node_that_stays_away_is_one_line_on_a_terminal(own_mesh: Mesh, endless: Client) -> None:
    """The status line says that the node left the mesh, and for how long; nothing else does until the job is lost."""
    words = ["-p", "test.yml", "-i", "job", "--node", "worker", "--node-timeout", "5"]
    with PseudoTerminal(
        OURS,
        "run",
        endless.project.path,
        *words,
        "--socket",
        endless.socket,
        environment=endless.commands.environment,
        cwd=endless.project.path,
        columns=100,
    ) as terminal:
        endless.await_events(4)
        own_mesh.worker.stop(signal.SIGKILL)
        terminal.await_last_line("node `worker` left the mesh for 2 s")
        assert not any("warning" in line for line in terminal.lines)
        assert terminal.finish(LONGEST_WAIT_S) == 75
    assert "error: the job is lost" in terminal.text
    own_mesh.worker.start()
    wait_until(lambda: not any(units_of(*own_mesh.daemons).values()), "the units are gone", LONGEST_WAIT_S)


def test_a_target_node_out_of_reach(own_mesh: Mesh, endless: Client) -> None:
    """A cancel or a release that cannot reach the target node is pending: that is an error, with what to do."""
    endless.ask("submit", "-p", "test.yml", "-i", "job", "--node", "worker")
    unit = endless.record()["unit_id"]
    wait_until(
        lambda: ask_node(own_mesh.control.socket, f"work status {unit}")["StateName"] == "Running",
        "the job runs",
    )
    own_mesh.hop.stop(signal.SIGKILL)
    await_cut(own_mesh)
    for command in ("cancel", "release"):
        done = endless.ask(command, "-i", "job")
        assert done.rc == 69, done.stderr
        assert f"the {command} of unit {unit} is pending" in done.stderr
        assert "node `worker` is out of reach" in done.stderr
    assert endless.record()["released"] is False
    forced = endless.ask("release", "-i", "job", "--force")
    assert forced.rc == 0, forced.stderr
    assert endless.record()["outcome"]["status"] == "lost"
    assert "it may run on" in endless.record()["outcome"]["explanation"]
    own_mesh.hop.start()
