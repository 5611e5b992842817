"""What commands say about a node that they cannot use, and where their hints lead."""

from __future__ import annotations

from pathlib import Path

import pytest
from receptor_runner.receptor.jobs.record import Record, RecordFile, Stage
from tests.harness import OURS, UNPRIVILEGED, CommandLine, Commands, NodeFactory, Project

RUN = ("run", "DIR", "-p", "test.yml")


def words(command: tuple[str, ...], project: Project) -> list[str | Path]:
    """Return a command with the project in the place of DIR."""
    return [project.path if word == "DIR" else word for word in command]


@pytest.fixture
def recorded(project: Project, short_dir: Path) -> Project:
    """A project with a job `1` on a node whose socket does not exist any more."""
    record = Record(
        ident="1", digest="d", socket=str(short_dir / "none.sock"), node_directory=None, node="n", work_type="t",
        stage=Stage.STARTED, unit_id="abcdefgh",
    )  # fmt: skip
    RecordFile(project.path, "1").write(record)
    return project


@pytest.mark.parametrize(
    "command", [RUN, ("submit", *RUN[1:]), ("nodes",), ("cleanup",), ("jobs", "--orphans")]
)
def test_a_directory_that_may_not_be_searched(
    commands: Commands, project: Project, short_dir: Path, command: tuple[str, ...]
) -> None:
    """A socket below a directory that this user may not search is an error of permission for every command."""
    closed = short_dir / "closed"
    closed.mkdir(mode=0)
    done = commands.run(*UNPRIVILEGED, OURS, *words(command, project), "--socket", closed / "s")
    error, cause, hint = done.stderr.splitlines()
    assert (done.rc, error) == (69, f"error: no permission to use the socket {closed}/s")
    assert f"may not search {closed}" in cause
    assert f"namei -l {closed}/s" in hint


@pytest.mark.parametrize(
    "command",
    [
        ("nodes", "--socket", "none.sock"),
        ("cleanup", "--socket", "none.sock"),
        (*RUN, "--socket", "none.sock"),
        (*RUN, "--socket", "none.sock", "--node", "a", "--node", "b"),
        ("cancel", "DIR", "-i", "1"),
        ("release", "DIR", "-i", "1"),
    ],
)
def test_a_missing_socket(
    command_line: CommandLine,
    recorded: Project,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    """What asks at once gives up on a missing socket when the time for that is over, not that for all."""
    monkeypatch.setattr("receptor_runner.receptor.nodes.destination._SOCKET_WITHIN_S", 0.0)
    done = command_line.ours(*words(command, recorded))
    assert done.rc == 69, done.stderr
    assert "the socket does not exist" in done.stderr
    assert "trying again" not in done.stderr


@pytest.mark.parametrize("command", [RUN, ("cleanup",)])
def test_localhost_is_the_local_node(commands: Commands, project: Project, command: tuple[str, ...]) -> None:
    """A single `--node localhost` is the local node, an embedded one where there is no other."""
    done = commands.ours(*words(command, project), "--node", "localhost")
    assert done.rc == 0, done.stderr


@pytest.mark.parametrize("command", [RUN, ("cleanup",)])
def test_hints_lead_to_the_same_node(
    command_line: CommandLine, node_factory: NodeFactory, project: Project, command: tuple[str, ...]
) -> None:
    """A hint names the socket that the command line named, and none that the next command finds by itself."""
    node = node_factory("embedded")
    asked = [*words(command, project), "--node", "nope"]

    named = command_line.ours(*asked, "--socket", node.socket)
    command_line.environment["RECEPTORCTL_SOCKET"] = str(node.socket)
    found = command_line.ours(*asked)

    hint = "  hint: list the nodes: receptor-runner nodes"
    assert named.stderr.splitlines()[-1] == f"{hint} --socket {node.socket}"
    assert found.stderr.splitlines()[-1] == hint


def test_the_doctor_names_the_socket_too(command_line: CommandLine, node_factory: NodeFactory) -> None:
    """What the doctor advises about a node leads to the node that it examined."""
    node = node_factory("embedded")
    done = command_line.ours("doctor", "--no-job", "--node", "nope", "--socket", node.socket)
    assert f"list the nodes: receptor-runner nodes --socket {node.socket}" in done.text
