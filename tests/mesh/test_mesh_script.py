"""scripts/mesh: a mesh comes up, says where it is, and leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from receptor_runner.errors import MissingInput, NodeUnavailable, UsageError

from mesh_lab import Mesh, processes_below, wait_until

pytestmark = [pytest.mark.receptor, pytest.mark.slow, pytest.mark.usefixtures("receptor_bin")]

SCRIPT = Path(__file__).parents[2] / "scripts" / "mesh"
LONGEST_WAIT_S = 90.0


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run scripts/mesh."""
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        env={**os.environ, **variables},
        check=False,
        capture_output=True,
        text=True,
        timeout=LONGEST_WAIT_S,
    )


@pytest.fixture
def mesh(short_dir: Path) -> Iterator[Mesh]:
    """A mesh that is not written yet; stopped at the end whatever happens."""
    made = Mesh(short_dir / "m")
    yield made
    made.stop()


@pytest.mark.parametrize("kind", [(), ("--tls", "--signed")], ids=["plain", "tls-signed"])
def test_up_status_down(mesh: Mesh, kind: tuple[str, ...]) -> None:
    """`up` returns when jobs can be sent, `status` agrees, `down` leaves no process and no file."""
    where = ("--dir", str(mesh.directory))

    up = run("up", *kind, *where)
    assert (up.returncode, up.stderr) == (0, "")
    assert f"control: {mesh.control.socket}" in up.stdout
    status = run("status", *where)
    assert status.returncode == 0
    assert [node["running"] for node in json.loads(status.stdout)["nodes"]] == [True, True, True]
    assert run("up", *where).returncode == UsageError.exit_code

    down = run("down", *where)
    assert (down.returncode, down.stdout, down.stderr) == (0, "", "")
    assert not mesh.directory.exists()
    assert processes_below(mesh.directory) == set()
    assert run("status", *where).returncode == NodeUnavailable.exit_code


def test_down_ends_running_work(mesh: Mesh) -> None:
    """What a unit runs is gone too, and so are the processes between it and the daemon."""
    mesh.write(worker={"work.wait": "/bin/sleep 98765"})
    mesh.start(timeout_s=LONGEST_WAIT_S)
    submit(mesh.control.socket, "work submit worker wait")
    wait_until(lambda: running_below(mesh) != set(), LONGEST_WAIT_S, "the unit does not run")
    ours = running_below(mesh)

    mesh.stop()

    assert not any(Path(f"/proc/{pid}/exe").exists() for pid in ours)


def test_failed_up_leaves_nothing(mesh: Mesh) -> None:
    """Where the daemon is missing, or a node cannot start, the error says so and nothing is left."""
    where = ("--dir", str(mesh.directory))

    missing = run("up", *where, RECEPTOR_BIN="/nowhere/receptor")
    assert missing.returncode == MissingInput.exit_code
    assert "RECEPTOR_BIN" in missing.stderr
    assert len(missing.stderr.splitlines()) <= 3
    assert not mesh.directory.exists()


def test_down_removes_no_directory_of_others(mesh: Mesh) -> None:
    """A directory that holds no mesh is left alone."""
    mesh.directory.mkdir()
    (mesh.directory / "mine").touch()

    assert run("down", "--dir", str(mesh.directory)).returncode == UsageError.exit_code
    assert (mesh.directory / "mine").exists()
    (mesh.directory / "mine").unlink()
    mesh.directory.rmdir()


def test_node_that_ends_is_told_in_its_own_words(mesh: Mesh) -> None:
    """A daemon that refuses its config ends the wait at once, with its last words."""
    mesh.write()
    mesh.hop.config.write_text("- nonsense:\n")

    with pytest.raises(NodeUnavailable, match="unknown config type nonsense"):
        mesh.start(timeout_s=LONGEST_WAIT_S)


def test_one_node_restarts(mesh: Mesh) -> None:
    """A node can be killed and started again, and the mesh comes together again."""
    mesh.write()
    mesh.start(timeout_s=LONGEST_WAIT_S)

    mesh.worker.stop(signal.SIGKILL)
    assert not mesh.worker.is_running()
    mesh.worker.start()

    assert mesh.worker.is_running()
    assert mesh.worker.ask("status")["NodeID"] == "worker"


def submit(path: Path, command: str) -> None:
    """Start a unit with an empty payload."""
    with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rb") as replies:
        connection.settimeout(30)
        connection.connect(str(path))
        replies.readline()
        connection.sendall(f"{command}\n".encode())
        assert replies.readline().startswith(b"Work unit created")
        connection.shutdown(socket.SHUT_WR)
        assert b"unitid" in replies.readline()


def running_below(mesh: Mesh) -> set[int]:
    """Return the process ids of running units of the worker and of what they run."""
    units = mesh.worker.ask("work list").values()
    details = [unit["Detail"].rpartition("PID ")[2] for unit in units if unit["StateName"] == "Running"]
    return {int(pid) for pid in details} | {unit["ExtraData"]["Pid"] for unit in units if unit["ExtraData"]}
