"""What the tests of slices share: a project with several local hosts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.harness import Commands, Project

HOSTS = """[web]
web1
web2
[db]
db1
[all:vars]
ansible_connection=local
ansible_python_interpreter="{{ ansible_playbook_python }}"
"""


@dataclass
class Sliced:
    """A project whose jobs run in slices.

    Attributes:
        commands: our commands.
        project: its private data directory, with hosts db1, web1 and web2.
    """

    commands: Commands
    project: Project

    def run(self, *words: str, ident: str = "job") -> Any:
        """Run `test.yml` in slices to the end."""
        return self.commands.ours("run", self.project.path, "-p", "test.yml", "-i", ident, *words)

    def ask(self, command: str, *words: str) -> Any:
        """Run another command for the project to its end."""
        return self.commands.ours(command, self.project.path, *words)

    def index(self, ident: str = "job") -> dict[str, Any]:
        """Return the index of a sliced job; {} while there is none."""
        path = self.project.artifacts(ident) / "slices.json"
        return dict(json.loads(path.read_bytes())) if path.exists() else {}

    def column(self, name: str, ident: str = "job") -> list[Any]:
        """Return one fact of each slice."""
        return [entry[name] for entry in self.index(ident)["slices"]]

    def stdout(self, number: int, ident: str = "job") -> str:
        """Return the output of one slice."""
        return (self.project.artifacts(f"{ident}-slice-{number}") / "stdout").read_text()


@pytest.fixture
def sliced(commands: Commands, tmp_path: Path) -> Sliced:
    """The project."""
    project = Project(tmp_path / "pdd")
    project.write("inventory/hosts", HOSTS)
    return Sliced(commands, project)
