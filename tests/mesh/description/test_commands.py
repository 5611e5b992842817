"""The commands of `receptor-runner mesh`: data on stdout, talk on stderr, exit codes for scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from receptor_runner.mesh.bundle import render_bundle
from receptor_runner.mesh.certificates import Validity
from receptor_runner.mesh.reading import load_mesh
from tests.harness import CommandLine, Commands

MESH = """\
signed: false
nodes:
  control: {role: control, address: control.example.com}
  worker: {role: worker, address: worker.example.com, peers: [control]}
"""


@pytest.fixture
def mesh_file(command_line: CommandLine) -> Path:
    """A mesh.yml in the current directory."""
    path = command_line.cwd / "mesh.yml"
    path.write_text(MESH)
    return path


def test_init_check_render(command_line: CommandLine) -> None:
    """Three commands without a single option lead from nothing to the files of every node."""
    assert command_line.ours("mesh", "init").rc == 0
    checked = command_line.ours("mesh", "check")
    assert (checked.rc, checked.text, checked.stderr) == (0, "", "0 errors, 0 warnings, 0 notes\n")
    rendered = command_line.ours("mesh", "render")
    assert rendered.rc == 0
    assert "wrote out/worker/files/receptor.yml\n" in rendered.text
    assert rendered.stderr == "made certificates (new): the authority, control, worker\n"

    again = command_line.ours("mesh", "render")
    assert (again.rc, again.text, again.stderr) == (0, "", "nothing to do: out is up to date\n")


def test_init_replaces_nothing_unasked(command_line: CommandLine, mesh_file: Path) -> None:
    """A file that is there stays as it is, unless --force says otherwise."""
    assert command_line.ours("mesh", "init").rc == 74
    assert mesh_file.read_text() == MESH

    assert command_line.ours("mesh", "init", "--force", "--workers", "2", "--hops", "2").rc == 0
    assert "  hop2:\n" in mesh_file.read_text()


def test_init_to_stdout(command_line: CommandLine) -> None:
    """With `-` nothing is written, and stdout holds the description alone."""
    done = command_line.ours("mesh", "init", "-")

    assert done.text.startswith("# A Receptor mesh.")
    assert not list(command_line.cwd.glob("*.yml"))


def test_check_prints_findings_as_the_linter_does(command_line: CommandLine, mesh_file: Path) -> None:
    """File, line, severity, message and code; the hint below; 78 for errors."""
    mesh_file.write_text(MESH.replace("peers: [control]", "peers: [contrl]"))

    done = command_line.ours("mesh", "check")
    assert done.rc == 78
    assert done.text.startswith(
        "mesh.yml:4: error: node `worker` has the unknown peer `contrl` [unknown-node]\n    did you mean control?\n"
    )

    findings = json.loads(command_line.ours("mesh", "check", "--json").text)
    assert findings["errors"] >= 1
    assert findings["findings"][0]["line"] == 4


def test_check_needs_a_file(command_line: CommandLine) -> None:
    """A missing file is 66, with the command that makes one."""
    done = command_line.ours("mesh", "check")

    assert done.rc == 66
    assert "hint: receptor-runner mesh init mesh.yml" in done.stderr


def test_render_refuses_errors(command_line: CommandLine, mesh_file: Path) -> None:
    """Nothing is written from a description with errors."""
    mesh_file.write_text(MESH.replace("role: control", "role: boss"))

    done = command_line.ours("mesh", "render")
    assert (done.rc, done.text) == (78, "")
    assert not (mesh_file.parent / "out").exists()


def test_render_as_json(command_line: CommandLine, mesh_file: Path) -> None:
    """One object says what was written and why certificates were made."""
    report = json.loads(command_line.ours("mesh", "render", mesh_file, "-o", "there", "--json").text)

    assert report["directory"] == "there"
    assert "worker/files/node.key" in report["written"]
    assert {entry["node"]: entry["reason"] for entry in report["issued"]} == {
        None: "new",
        "control": "new",
        "worker": "new",
    }


def test_renewal_that_would_never_end_is_refused(command_line: CommandLine, mesh_file: Path) -> None:
    """Certificates that are due on the day they are made make no sense."""
    assert command_line.ours("mesh", "render", mesh_file, "--days", "30", "--renew", "30").rc == 64


@pytest.mark.parametrize(
    ("days", "code", "says"), [(300, 0, ""), (20, 0, "end within 30 days"), (-1, 78, "no valid")]
)
def test_status_of_certificates(
    command_line: CommandLine, mesh_file: Path, days: int, code: int, says: str
) -> None:
    """Without a control node here, certificates are shown alone; one that has ended is 78."""
    render_bundle(load_mesh(mesh_file), mesh_file.parent / "out", validity=Validity(days=days))

    done = command_line.ours("mesh", "status")
    assert done.rc == code
    assert says in done.stderr
    assert "reach is unknown" in done.stderr
    assert done.text.splitlines()[0].split() == [
        "node",
        "role",
        "certificate",
        "route",
        "last",
        "seen",
        "work",
        "types",
    ]


def test_status_as_json(command_line: CommandLine, mesh_file: Path) -> None:
    """Programs get the same facts, from the directory alone too."""
    command_line.ours("mesh", "render")

    report = json.loads(command_line.ours("mesh", "status", "out", "--json").text)
    assert [node["node"] for node in report["nodes"]] == ["control", "worker"]
    assert report["nodes"][0]["certificate"]["days_left"] in {364, 365}
    assert report["nodes"][0]["reachable"] is None
    assert report["authority"]["ended"] is False


def test_status_of_a_socket_that_is_dead(command_line: CommandLine, mesh_file: Path) -> None:
    """A socket that was named and does not answer is an error, not an unknown."""
    done = command_line.ours("mesh", "status", mesh_file, "--socket", "gone.sock", "--retry-deadline", "0")

    assert done.rc == 69


def test_graph(command_line: CommandLine, mesh_file: Path) -> None:
    """The mesh as text on stdout, or as an image in a file or on stdout."""
    assert command_line.ours("mesh", "graph").text.splitlines()[1] == (
        "└── worker  worker  worker.example.com  → control"
    )
    assert command_line.ours("mesh", "graph", mesh_file, "--svg", "mesh.svg").rc == 0
    assert (command_line.cwd / "mesh.svg").read_text() == command_line.ours(
        "mesh", "graph", "--svg", "-"
    ).text


def test_graph_without_line_characters(commands: Commands, mesh_file: Path) -> None:
    """Where stdout cannot take lines and arrows, the tree is drawn in ASCII."""
    commands.environment["PYTHONIOENCODING"] = "latin-1"

    done = commands.ours("mesh", "graph", mesh_file)
    assert (done.rc, done.text.splitlines()[1]) == (0, "`-- worker  worker  worker.example.com  -> control")


@pytest.mark.parametrize("command", ["init", "check", "render", "status", "graph"])
def test_help_has_examples(command_line: CommandLine, command: str) -> None:
    """Help fits a screen and shows how the command is used."""
    text = command_line.ours("mesh", command, "--help").text

    assert f"receptor-runner mesh {command}" in text
    assert "Examples:" in text
    assert len(text.splitlines()) <= 40
