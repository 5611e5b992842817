"""`mesh up` and `mesh down` as people type them."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from receptor_runner.mesh.local.directory import MeshDirectory
from receptor_runner.mesh.local.processes import receptor_processes
from tests.harness import CommandLine, Commands, Project, finish, wait_until
from tests.mesh.conftest import ROW

pytestmark = [pytest.mark.receptor, pytest.mark.usefixtures("receptor_bin")]


@pytest.fixture
def place(short_dir: Path) -> Iterator[Path]:
    """Where the mesh goes; stopped at the end whatever happens."""
    yield short_dir / "m"
    mesh = MeshDirectory(short_dir / "m")
    if mesh.holds_mesh():
        mesh.remove()


@pytest.mark.slow
def test_up_says_what_to_type_next(commands: Commands, project: Project, place: Path) -> None:
    """Without a file three nodes come up, with TLS and signing; the printed commands run a job and end it all."""
    up = commands.ours("mesh", "up", "--hops", "1", "--dir", place)
    assert up.rc == 0, up.stderr
    assert [line.split()[:2] for line in up.text.splitlines()[1:4]] == [
        ["control", "control"],
        ["hop", "hop"],
        ["worker", "worker"],
    ]
    assert re.findall("starting node `(.*)`\n", up.stderr)[:3] == ["control", "hop", "worker"]

    (line,) = (line for line in up.text.splitlines() if line.startswith("run a job:"))
    typed = shlex.split(
        line.replace("run a job:", "").replace("DIR -p site.yml", f"{project.path} -p test.yml")
    )
    done = commands.ours(*typed[1:], "-i", "job")
    assert (done.rc, project.artifacts("job").joinpath("status").read_text()) == (0, "successful"), (
        done.stderr
    )

    (line,) = (line for line in up.text.splitlines() if line.startswith("stop it:"))
    down = commands.ours(*shlex.split(line.replace("stop it:", ""))[1:])
    assert (down.rc, down.text, down.stderr) == (0, "", f"stopped the mesh in {place}\n")
    assert not place.exists()
    assert receptor_processes(place) == set()


@pytest.mark.slow
def test_usual_directory(commands: Commands) -> None:
    """Without --dir and a runtime directory, the mesh is below the state directory, and `down` finds it there."""
    del commands.environment["XDG_RUNTIME_DIR"]
    (commands.cwd / "mesh.yml").write_text(ROW)

    up = commands.ours("mesh", "up", "--json")
    try:
        assert "using ./mesh.yml" in up.stderr
        described = json.loads(up.text)
        assert described["name"] == "a row of three"
        state = commands.environment["XDG_STATE_HOME"]
        assert described["directory"] == f"{state}/receptor-runner/mesh"
        assert [(node["node"], node["role"]) for node in described["nodes"]] == [
            ("control", "control"),
            ("hop", "hop"),
            ("worker", "worker"),
        ]
        assert all(Path(node["config"]).exists() and node["pid"] for node in described["nodes"])
    finally:
        down = commands.ours("mesh", "down")
    assert down.rc == 0
    assert not Path(described["directory"]).exists()
    again = commands.ours("mesh", "down")
    assert (again.rc, again.stderr) == (0, f"no mesh in {described['directory']}\n")


@pytest.mark.slow
def test_up_again(commands: Commands, place: Path) -> None:
    """A second `up` says that the mesh runs and starts what has ended; another mesh does not take its place."""
    shape = ("--no-tls", "--no-signed", "--dir", place)
    first = json.loads(commands.ours("mesh", "up", *shape, "--json").text)
    (worker,) = (node for node in first["nodes"] if node["node"] == "worker")
    os.kill(worker["pid"], signal.SIGKILL)

    second = commands.ours("mesh", "up", *shape, "--json")
    assert second.rc == 0, second.stderr
    assert f"the mesh is already running in {place}" in second.stderr
    assert "starting node `worker`" in second.stderr
    assert "starting node `control`" not in second.stderr

    other = commands.ours("mesh", "up", "--workers", "2", "--dir", place)
    assert other.rc == 64
    assert (
        other.stderr.splitlines()[0] == f"error: {place} holds another mesh, or an older version of this one"
    )
    assert all(Path(f"/proc/{node['pid']}").exists() for node in json.loads(second.text)["nodes"])


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_up_leaves_nothing(commands: Commands, place: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM while the mesh comes up: no process, no file, and an exit code that says so."""
    running = commands.start("mesh", "up", "--dir", place)
    wait_until(lambda: receptor_processes(place), "a daemon runs")

    running.send_signal(number)

    _, stderr = running.communicate(timeout=60)
    assert running.returncode == 128 + number
    assert stderr.decode().splitlines()[-1] == "error: interrupted; the mesh is not started"
    assert not place.exists()
    assert receptor_processes(place) == set()


@pytest.mark.slow
def test_failed_up_leaves_nothing(commands: Commands, place: Path) -> None:
    """When the time is up, the error names the worker, and nothing is left."""
    done = commands.ours("mesh", "up", "--dir", place, "--timeout", "1")

    assert done.rc == 69
    assert "error: worker `worker` cannot take jobs after 1 s" in done.stderr
    assert not place.exists()
    assert receptor_processes(place) == set()


def test_without_the_daemon(command_line: CommandLine, place: Path) -> None:
    """Where the daemon is not installed, nothing is written."""
    command_line.environment["RECEPTOR_BIN"] = "/nowhere/receptor"

    done = command_line.ours("mesh", "up", "--dir", str(place))

    assert done.rc == 66
    assert "RECEPTOR_BIN=/path/to/receptor" in done.stderr
    assert not place.exists()


def test_foreign_directory(command_line: CommandLine, place: Path) -> None:
    """A directory that holds no mesh is neither used nor removed."""
    place.mkdir()
    (place / "mine").touch()

    assert command_line.ours("mesh", "up", "--dir", str(place)).rc == 64
    assert command_line.ours("mesh", "down", "--dir", str(place)).rc == 64
    assert (place / "mine").exists()


def test_file_and_shape(command_line: CommandLine, place: Path, tmp_path: Path) -> None:
    """A file describes the mesh alone: options that shape a mesh contradict it."""
    (tmp_path / "mesh.yml").write_text(ROW)

    done = command_line.ours("mesh", "up", str(tmp_path / "mesh.yml"), "--workers", "2", "--dir", str(place))

    assert done.rc == 64
    assert "--workers cannot be given with" in done.stderr


@pytest.mark.slow
def test_two_at_once(commands: Commands, place: Path) -> None:
    """Of two commands that start the same mesh, one starts it; the other waits and finds it running."""
    both = [commands.start("mesh", "up", "--dir", place) for _number in range(2)]
    done = [finish(process, 120) for process in both]
    assert [one.rc for one in done] == [0, 0], [one.stderr for one in done]
    assert sorted("starting node `control`" in one.stderr for one in done) == [False, True]
    assert done[0].text == done[1].text
    assert len(receptor_processes(place)) == 2
    assert commands.ours("mesh", "down", "--dir", place).rc == 0
    assert not place.exists()
