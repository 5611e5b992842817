"""What the shells offer: commands, options, and values that files and nodes know."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from click.shell_completion import ShellComplete
from receptor_runner.cli.completions import NODE_BUDGET_S
from receptor_runner.cli.program import cli
from tests.harness import BIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness import NodeFactory, Project


@pytest.fixture(autouse=True)
def isolated(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Complete in the test's own environment and directory."""
    monkeypatch.chdir(tmp_path)
    with mock.patch.dict(os.environ, environment, clear=True):
        yield


def offered(line: str) -> list[str]:
    """Return what is offered for the last word of a command line; `file` and `dir` leave it to the shell."""
    *words, last = line.split(" ")
    items = ShellComplete(cli, {}, "receptor-runner", "_UNUSED").get_completions(words, last)
    return [item.value if item.type == "plain" else item.type for item in items]


def write(path: Path, text: str = "") -> None:
    """Write a file and the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ca", ["cancel"]),
        ("config re", ["render"]),
        ("run DIR --work-t", ["--work-type"]),
        ("run DIR --output ", ["text", "json", "ndjson", "quiet"]),
        ("run DIR --socket ", ["file"]),
        ("playbook -i ", ["file"]),
        ("playbook ", ["file"]),
        ("adhoc all --playbook-dir ", ["dir"]),
        ("config render ", ["control", "hop", "local", "worker"]),
        ("config render local --set sock", ["socket="]),
        ("config render nope --set ", []),
    ],
)
def test_what_is_known_without_files(line: str, expected: list[str]) -> None:
    """Commands, options, choices, paths, templates and their settings are offered."""
    assert offered(line) == expected


def test_playbooks_and_inventories_of_the_directory(project: Project) -> None:
    """They are offered as their options take them: playbooks relative to the project, inventories to DIR."""
    write(project.path / "project/site.yml")
    write(project.path / "project/site.txt")
    write(project.path / "project/plays/db.yaml")
    write(project.path / "inventory/prod.ini")
    write(project.path / "inventory/group_vars/all.yml")
    assert offered(f"run {project.path} -p s") == ["site.yml"]
    assert offered(f"submit {project.path} -p p") == ["plays/"]
    assert offered(f"submit {project.path} -p plays/") == ["plays/db.yaml"]
    assert offered(f"run {project.path} --inventory inventory/p") == ["inventory/prod.ini"]
    assert offered(f"run {project.path} --inventory inventory/g") == []
    assert offered("run NOWHERE -p ") == []


def test_jobs_of_the_directory(project: Project) -> None:
    """Idents are those of the jobs in DIR that have a record."""
    write(project.path / "artifacts/42/unit.json", "{}")
    write(project.path / "artifacts/43/stdout")
    for command in ("attach", "cancel", "release"):
        assert offered(f"{command} {project.path} -i 4") == ["42"]


def test_profiles_of_the_configuration(tmp_path: Path) -> None:
    """Profiles are offered, also while a file of the user has a mistake."""
    write(tmp_path / "receptor-runner.yml", "profiles: {prod: {}, lab: {}}")
    (tmp_path / "receptor-runner.yml").chmod(0o600)
    assert offered("nodes --profile ") == ["lab", "prod"]


def test_nodes_and_work_types_of_the_mesh(node_factory: NodeFactory) -> None:
    """The local node is asked for the nodes, and for the work types of the one that was named."""
    node = node_factory("embedded")
    where = f"run DIR --socket {node.socket}"
    assert offered(f"{where} --node ") == ["primary"]
    assert "receptor-runner" in offered(f"{where} --node primary --work-type ")
    assert "receptor-runner" in offered(f"{where} --work-type rec")
    os.environ["RECEPTORCTL_SOCKET"] = str(node.socket)
    assert offered("cleanup --node pri") == ["primary"]


def test_a_node_that_does_not_answer_is_not_waited_for(short_dir: Path) -> None:
    """A silent node, a missing one and one that closes the connection offer nothing, and say nothing."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(short_dir / "silent.sock"))
        silent.listen()
        assert offered(f"run DIR --socket {short_dir}/silent.sock --node ") == []
    assert offered(f"run DIR --socket {short_dir}/none.sock --node ") == []
    assert offered("run DIR --node ") == []
    assert NODE_BUDGET_S <= 0.3
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.daemon:
            thread.join(5)


def test_bash_completes(environment: dict[str, str], tmp_path: Path) -> None:
    """The script for bash asks the installed program."""
    script = (
        'eval "$(receptor-runner completion bash)"; COMP_WORDS=(receptor-runner config re); COMP_CWORD=2;'
        '_receptor_runner_completion receptor-runner; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script],
        env=environment | {"PATH": f"{BIN}:{os.environ['PATH']}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "render\n", done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`completion` prints a script that asks the program."""
    from receptor_runner.cli import main

    assert main(["completion", shell]) == 0
    assert f"_RECEPTOR_RUNNER_COMPLETE={shell}_complete" in capsys.readouterr().out
