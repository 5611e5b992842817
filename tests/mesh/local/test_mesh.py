"""A mesh on this machine: it comes up, survives the loss of a node, and leaves nothing."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from receptor_runner.errors import MissingInput, NodeUnavailable, UsageError
from receptor_runner.mesh.local import find_receptor
from receptor_runner.mesh.local.processes import receptor_processes
from tests.harness import Client, ask_node, wait_until
from tests.harness.control import ControlClient
from tests.mesh.conftest import ROW, Mesh, mesh_of, start_meshes

pytestmark = [pytest.mark.receptor, pytest.mark.slow, pytest.mark.usefixtures("receptor_bin")]

LONGEST_WAIT_S = 90.0

CIRCLE = """
name: two ways
tls: false
signed: false
nodes:
  worker: {role: worker, work_types: {uptime: /usr/bin/uptime}}
  left: {role: hop, peers: [worker]}
  right: {role: hop, peers: [worker]}
  control: {role: control, peers: [left]}
  control2: {role: control, peers: [right, control]}
"""


@pytest.fixture
def mesh(short_dir: Path) -> Iterator[Mesh]:
    """A mesh that is not written yet; stopped at the end whatever happens."""
    made = mesh_of(ROW, short_dir / "m")
    yield made
    made.stop()


def submit(path: Path, command: str) -> None:
    """Start a unit with an empty payload."""
    with ControlClient(path) as client:
        assert client.ask(command.encode()).startswith(b"Work unit created")
        client.half_close()
        assert b"unitid" in client.read_line()


def running_below(mesh: Mesh) -> set[int]:
    """Return the process ids of running units of the worker and of what they run."""
    units = ask_node(mesh.worker.socket, "work list").values()
    details = [unit["Detail"].rpartition("PID ")[2] for unit in units if unit["StateName"] == "Running"]
    return {int(pid) for pid in details} | {unit["ExtraData"]["Pid"] for unit in units if unit["ExtraData"]}


def test_start_and_stop(mesh: Mesh) -> None:
    """It starts with nothing written, all nodes run, and stopping leaves no process and no file."""
    mesh.start(timeout_s=LONGEST_WAIT_S)

    assert mesh.missing() == {}
    assert all(daemon.is_running() for daemon in mesh.daemons)
    assert {ask_node(daemon.socket, "status")["NodeID"] for daemon in mesh.daemons} == {
        "control",
        "hop",
        "worker",
    }

    mesh.stop()
    assert not mesh.directory.exists()
    assert receptor_processes(mesh.directory) == set()
    mesh.stop()


def test_workers_that_others_connect_to(short_dir: Path) -> None:
    """Links in the other direction, in a circle, with two control nodes and further work types come up as well."""
    mesh = mesh_of(CIRCLE, short_dir / "m")
    try:
        mesh.start(timeout_s=LONGEST_WAIT_S)
        assert mesh.missing() == {}
    finally:
        mesh.stop()


def test_stop_ends_running_work(short_dir: Path) -> None:
    """What a unit runs is gone too, and so are the processes between it and the daemon."""
    text = ROW.replace("peers: [hop]", "peers: [hop], work_types: {wait: /bin/sleep 98765}")
    mesh = mesh_of(text, short_dir / "m")
    try:
        mesh.start(timeout_s=LONGEST_WAIT_S)
        submit(mesh.control.socket, "work submit worker wait")
        wait_until(lambda: running_below(mesh), "the unit runs")
        ours = running_below(mesh)
    finally:
        mesh.stop()

    assert not any(Path(f"/proc/{pid}/exe").exists() for pid in ours)


def test_work_that_will_not_end_is_killed(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that ignores every signal is killed, also after its command runner has ended."""
    monkeypatch.setattr("receptor_runner.mesh.local.processes.STOP_TIMEOUT_S", 2.0)
    stubborn = short_dir / "stubborn"
    stubborn.write_text("#!/bin/sh\ntrap '' INT TERM HUP\nwhile :; do sleep 1; done\n")
    stubborn.chmod(0o755)
    mesh = mesh_of(
        ROW.replace("peers: [hop]", f"peers: [hop], work_types: {{no: {stubborn}}}"), short_dir / "m"
    )
    try:
        mesh.start(timeout_s=LONGEST_WAIT_S)
        submit(mesh.control.socket, "work submit worker no")
        wait_until(lambda: running_below(mesh), "the unit runs")
        ours = running_below(mesh)
    finally:
        mesh.stop()

    wait_until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in ours), "all of it is gone")
    assert not mesh.directory.exists()


def test_ended_node_is_named_in_its_own_words(mesh: Mesh) -> None:
    """A daemon that refuses its config ends the wait at once, with the last line of its log."""
    mesh.write()
    mesh.hop.config.write_text("- nonsense:\n")

    with pytest.raises(NodeUnavailable, match=r"node `hop` ended: .*unknown config type nonsense"):
        mesh.start(timeout_s=LONGEST_WAIT_S)


def test_missing_worker_is_named(mesh: Mesh) -> None:
    """When the time is up, the error names the worker and what is missing."""
    mesh.write()
    text = mesh.worker.config.read_text()
    mesh.worker.config.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:1", text))

    with pytest.raises(
        NodeUnavailable, match=r"worker `worker` .*: node `control` has no route to it"
    ) as caught:
        mesh.start(timeout_s=1)
    assert caught.value.hint == f"cat {mesh.worker.log}"


def test_killed_node_is_started_again(mesh: Mesh) -> None:
    """A node that was killed is started by `start`, the others go on, and the mesh is complete again."""
    mesh.start(timeout_s=LONGEST_WAIT_S)
    before = {daemon.name: daemon.pid for daemon in mesh.daemons}

    mesh.worker.stop(signal.SIGKILL)
    assert [daemon.is_running() for daemon in mesh.daemons] == [True, True, False]
    mesh.start(timeout_s=LONGEST_WAIT_S)

    after = {daemon.name: daemon.pid for daemon in mesh.daemons}
    assert mesh.missing() == {}
    assert (after["control"], after["hop"]) == (before["control"], before["hop"])
    assert after["worker"] != before["worker"]


def test_units_outlive_the_daemons(mesh: Mesh, client_of: Callable[..., Client]) -> None:
    """After `end`, `start` goes on with the same files and units: a job that was submitted can be attached to."""
    mesh.start(timeout_s=LONGEST_WAIT_S)
    client = client_of(mesh.control)
    submitted = client.ask("submit", "-p", "test.yml", "-i", "job", "--node", "worker")
    assert submitted.rc == 0, submitted.stderr
    wait_until(
        lambda: (
            [unit["StateName"] for unit in ask_node(mesh.control.socket, "work list").values()]
            == ["Succeeded"]
        ),
        "the job has ended",
    )

    mesh.end()
    assert not mesh.is_running()
    mesh.start(timeout_s=LONGEST_WAIT_S)

    attached = client.ask("attach", "-i", "job")
    assert (attached.rc, client.read("status")) == (0, "successful"), attached.stderr


def test_two_side_by_side(short_dir: Path, client_of: Callable[..., Client]) -> None:
    """Two meshes of the same description do not know each other; stopping one leaves the other alone."""
    one, two = (mesh_of(ROW, short_dir / name) for name in ("one", "two"))
    try:
        start_meshes(one, two)
        one.stop()

        assert two.missing() == {}
        assert all(daemon.is_running() for daemon in two.daemons)
        client = client_of(two.control)
        assert client.ask("run", "-p", "test.yml", "-i", "job", "--node", "worker").rc == 0
    finally:
        one.stop()
        two.stop()


def test_directory_that_is_too_long_for_a_socket(short_dir: Path, client_of: Callable[..., Client]) -> None:
    """Below a path that no socket's address can hold, the mesh comes up and a job runs."""
    mesh = mesh_of(ROW, short_dir / ("deep" * 30) / "m")
    try:
        mesh.start(timeout_s=LONGEST_WAIT_S)

        assert len(os.fsencode(mesh.control.socket)) > 107
        client = client_of(mesh.control)
        done = client.ask("run", "-p", "test.yml", "-i", "job", "--node", "worker")
        assert (done.rc, client.read("status")) == (0, "successful"), done.stderr
    finally:
        mesh.stop()


def test_undo_leaves_what_was_there(mesh: Mesh) -> None:
    """Undoing a start that failed ends the daemons it has started, not those that ran before, and removes nothing."""
    mesh.start(timeout_s=LONGEST_WAIT_S)
    mesh.worker.stop(signal.SIGKILL)
    again = mesh_of(ROW, mesh.directory)
    wait_until(again.missing, "the control node has noticed")
    with pytest.raises(NodeUnavailable, match="cannot take jobs"):
        again.start(timeout_s=0)

    again.undo()

    assert [daemon.is_running() for daemon in mesh.daemons] == [True, True, False]
    assert mesh.worker.config.exists()


def test_process_id_of_somebody_else(mesh: Mesh) -> None:
    """A process id that another process has by now, as after a reboot, is neither taken for the daemon nor killed."""
    mesh.write()
    (mesh.worker.directory / "pid").write_text(f"{os.getpid()}\n")

    assert not mesh.worker.is_running()
    mesh.worker.stop()
    mesh.start(timeout_s=LONGEST_WAIT_S)
    assert mesh.worker.pid != os.getpid()


def test_another_mesh_in_the_directory(mesh: Mesh) -> None:
    """A directory that holds another mesh is refused, with the command that makes room."""
    mesh.write()

    with pytest.raises(UsageError) as caught:
        mesh_of(ROW.replace("tls: false", "tls: true"), mesh.directory).start()
    assert f"receptor-runner mesh down --dir {mesh.directory}" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["RECEPTOR_BIN", "PATH"])
def test_no_daemon(monkeypatch: pytest.MonkeyPatch, name: str, mesh: Mesh) -> None:
    """Without the program the error says where it was looked for, and nothing is written."""
    monkeypatch.delenv("RECEPTOR_BIN", raising=False)
    monkeypatch.setenv(name, "/nowhere/receptor")

    with pytest.raises(MissingInput) as caught:
        mesh.start()
    assert "RECEPTOR_BIN=" in str(caught.value.hint)
    assert not mesh.directory.exists()
    with pytest.raises(MissingInput):
        find_receptor()
