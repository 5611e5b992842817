"""`receptor-runner doctor` without a mesh: right after the installation, and with sockets that lead nowhere."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from tests.harness import OURS, UNPRIVILEGED, Commands, NodeFactory, PseudoTerminal, processes_of, wait_until


def examine(
    commands: Commands, *words: str | Path, prefix: tuple[str, ...] = ()
) -> tuple[int, dict[str, Any]]:
    """Return the exit code, and the steps by subject and name."""
    done = commands.run(*prefix, OURS, "doctor", "--json", *words)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert (found["schema"], found["ok"], found["exit_code"]) == (1, done.rc == 0, done.rc)
    return done.rc, {f"{step['subject']}: {step['step']}": step for step in found["steps"]}


def test_right_after_the_installation(commands: Commands, environment: dict[str, str]) -> None:
    """Without a node the embedded one is checked with a real job, and nothing of it is left."""
    rc, steps = examine(commands)

    assert rc == 0
    assert {step["state"] for step in steps.values()} == {"ok"}
    assert list(steps) == [
        "this machine: versions", "this machine: directories", "this machine: space",
        "local node: socket", "local node: answer",
        "node primary: work type", "node primary: worker", "node primary: versions", "node primary: ansible",
        "node primary: engines", "node primary: job",
    ]  # fmt: skip
    assert steps["node primary: job"]["facts"]["rc"] == 0
    assert all(step["duration_s"] >= 0 for step in steps.values())
    state = Path(environment["XDG_STATE_HOME"], "receptor-runner")
    wait_until(lambda: not list(state.glob("receptor-runner-node-*")), "the node is gone")
    assert list(state.glob("jobs/*")) == []
    wait_until(lambda: not processes_of(state), "its processes are gone")


def test_for_people(commands: Commands) -> None:
    """Each step is a line with its state and time, below what was checked; plain where stdout is no terminal."""
    done = commands.ours("doctor", "--no-job")

    assert done.rc == 0
    lines = done.text.splitlines()
    assert [line for line in lines if line and not line.startswith(" ")] == [
        "this machine", "local node", "node primary", "Everything looks good: jobs can run.",
    ]  # fmt: skip
    answer = next(line for line in lines if " answer " in line)
    assert answer.split()[:2] == ["ok", "answer"]
    assert answer.endswith(" s  node `primary` answers")
    assert "\x1b" not in done.text
    assert "  job  " not in done.text


def test_on_a_terminal(environment: dict[str, str], tmp_path: Path) -> None:
    """States have colors, and lines that are too long continue below the beginning of their text."""
    words = (OURS, "doctor", "--socket", tmp_path / "none.sock")
    with PseudoTerminal(*words, environment=environment, cwd=tmp_path) as terminal:
        assert terminal.finish() == 69
    assert b"\x1b[1;31mfailed" in terminal.raw
    versions = next(number for number, line in enumerate(terminal.lines) if " versions " in line)
    column = terminal.lines[versions].index("receptor-runner")
    assert terminal.lines[versions + 1].index(terminal.lines[versions + 1].strip()) == column


def test_no_socket_file(commands: Commands, tmp_path: Path) -> None:
    """Fault 1: a socket that does not exist is named; what needs it is skipped."""
    rc, steps = examine(commands, "--socket", tmp_path / "none.sock")

    found = steps["local node: socket"]
    assert (rc, found["state"], found["fault"]) == (69, "failed", "unreachable")
    assert found["summary"] == f"{tmp_path}/none.sock: No such file or directory"
    assert "systemctl start receptor" in found["hint"]
    assert steps["local node: answer"]["state"] == "skipped"


def test_where_the_socket_was_named(commands: Commands, tmp_path: Path) -> None:
    """The report says whether an option or a variable named the socket."""
    variable = ("env", f"RECEPTORCTL_SOCKET={tmp_path}/none.sock")
    by_variable = examine(commands, prefix=variable)[1]["local node: socket"]
    by_option = examine(commands, "--socket", tmp_path / "none.sock")[1]["local node: socket"]
    assert by_variable["facts"]["source"] == "RECEPTORCTL_SOCKET"
    assert by_option["facts"]["source"] == "--socket"


def test_a_file_that_is_not_a_socket(commands: Commands, tmp_path: Path) -> None:
    """Something else in its place is a wrong configuration."""
    (tmp_path / "file").write_text("")
    rc, steps = examine(commands, "--socket", tmp_path / "file")
    assert (rc, steps["local node: socket"]["summary"]) == (78, f"{tmp_path}/file is not a socket")


@pytest.mark.parametrize(
    ("mode", "hint"), [(0o000, 'permissions: "0660"'), (0o060, "usermod -aG")], ids=["nobody", "group"]
)
def test_no_permission(commands: Commands, node_factory: NodeFactory, mode: int, hint: str) -> None:
    """Fault 2: a socket that this user may not use is named with its mode, and with the way in."""
    node = node_factory("embedded")
    node.socket.chmod(mode)
    os.chown(node.socket, -1, -1 if os.geteuid() else 1)  # nobody is told to join the group of root

    rc, steps = examine(commands, "--socket", node.socket, prefix=UNPRIVILEGED)

    found = steps["local node: permission"]
    assert (rc, found["state"], found["facts"]["mode"]) == (78, "failed", f"{mode:04o}")
    assert f"has no access to {node.socket}" in found["summary"]
    assert hint in found["hint"]
    assert steps["local node: answer"]["summary"] == "it needs `permission`"


def test_no_permission_for_the_directory(commands: Commands, short_dir: Path) -> None:
    """A directory on the way to the socket that this user may not search is named, and no embedded node is checked."""
    closed = short_dir / "closed"
    closed.mkdir(mode=0)

    rc, steps = examine(commands, "--socket", closed / "receptor.sock", prefix=UNPRIVILEGED)

    found = steps["local node: socket"]
    assert (rc, found["state"], found["fault"]) == (78, "failed", "misconfigured")
    assert f"may not search {closed}, where a node for others may be" in found["summary"]
    assert f"namei -l {closed}/receptor.sock" in found["hint"]


def test_a_dead_socket(commands: Commands, short_dir: Path) -> None:
    """Fault 3: a socket file that nobody listens on is told from one that does not exist."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(short_dir / "dead.sock"))

    rc, steps = examine(commands, "--socket", short_dir / "dead.sock")

    found = steps["local node: answer"]
    assert (rc, found["fault"]) == (69, "unreachable")
    assert "connection refused: no process listens on the socket" in found["summary"]
    assert found["hint"] == "start the node"
    assert steps["local node: permission"]["state"] == "ok"


def test_a_silent_socket(commands: Commands, short_dir: Path) -> None:
    """A process that listens and never answers is given up after the timeout."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(short_dir / "silent.sock"))
        silent.listen()
        rc, steps = examine(commands, "--socket", short_dir / "silent.sock", "--timeout", "1")
    assert rc == 69
    assert "does not answer: timed out" in steps["local node: answer"]["summary"]


def test_a_node_without_a_mesh(commands: Commands) -> None:
    """Another node cannot be reached without a socket: the hint says how to name one."""
    rc, steps = examine(commands, "--node", "exec1")
    assert rc == 69
    assert "RECEPTORCTL_SOCKET" in steps["local node: socket"]["hint"]


def test_advice_for_people(commands: Commands, tmp_path: Path) -> None:
    """The report ends with what to do; steps that waited in vain share one line."""
    done = commands.ours("doctor", "--socket", tmp_path / "none.sock")

    assert done.rc == 69
    assert "1 failure. What to do:\n  local node, socket:\n      start the node:" in done.text
    skipped = [line for line in done.text.splitlines() if line.startswith("  skipped")]
    assert len(skipped) == 1
    assert "permission, answer, version" in skipped[0]


def test_the_program_is_found_by_other_names(commands: Commands) -> None:
    """`ping`, which receptorctl has, is suggested to be `doctor`."""
    assert "did you mean `receptor-runner doctor`?" in commands.ours("ping").stderr


def test_other_commands_name_the_doctor(commands: Commands, short_dir: Path) -> None:
    """An error of a node that comes without a hint of its own leads to the doctor."""
    with socket.socket(socket.AF_UNIX) as closing:
        closing.bind(str(short_dir / "closing.sock"))
        closing.listen()
        process = commands.start("nodes", "--socket", short_dir / "closing.sock", "--retry-deadline", "0")
        closing.accept()[0].close()
        _output, stderr = process.communicate(timeout=30)
    assert process.returncode == 69
    hint = f"  hint: find out why, step by step: receptor-runner doctor --socket {short_dir}/closing.sock"
    assert stderr.decode().splitlines()[-1] == hint


def test_settings_of_a_file_count(commands: Commands, short_dir: Path) -> None:
    """Node and socket of ./receptor-runner.yml are checked, and the report says where the socket was named."""
    settings = commands.cwd / "receptor-runner.yml"
    settings.write_text(f"socket: {short_dir}/none.sock\nnode: exec1\n")
    settings.chmod(0o600)
    _rc, steps = examine(commands)
    assert steps["local node: socket"]["facts"] == {
        "address": f"{short_dir}/none.sock",
        "source": "./receptor-runner.yml:1",
    }
