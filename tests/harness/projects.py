"""Private data directories that tests fill, and what a job leaves in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCALHOST = 'localhost ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"\n'
INTRODUCTION = Path(__file__).with_name("introduction.yml").read_text()
"""The receptor.yml of the introduction in Receptor's documentation."""
OURS_ALONE = {"unit.json", "unit.lock", "unit.cancel"}
"""Files in the artifacts that ansible-runner does not know."""


@dataclass
class Project:
    """A private data directory that a test fills."""

    path: Path

    def write(self, name: str, content: str, mode: int = 0o644) -> Path:
        """Write a file below the directory."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)
        return path

    def playbook(self, tasks: str, name: str = "test.yml", header: str = "  gather_facts: false\n") -> str:
        """Write a playbook with one play of the given tasks (YAML, not indented); return its name."""
        indented = "".join(f"    {line}\n" for line in tasks.strip().splitlines())
        self.write(f"project/{name}", f"- hosts: all\n{header}  tasks:\n{indented}")
        return name

    def artifacts(self, ident: str) -> Path:
        """Return the artifacts directory of a job."""
        return self.path / "artifacts" / ident

    def record(self, ident: str = "job") -> dict[str, Any]:
        """Return the record (unit.json) of a job; {} while there is none."""
        path = self.artifacts(ident) / "unit.json"
        return dict(json.loads(path.read_bytes())) if path.exists() else {}


def hello_project(path: Path) -> Project:
    """Make a private data directory with one local host and a playbook `test.yml` that says hello."""
    made = Project(path)
    made.write("inventory/hosts", LOCALHOST)
    made.playbook("- debug: msg='Hello world!'")
    return made


def contents(artifacts: Path) -> dict[str, bytes]:
    """Return the bytes of all artifacts by name, without the files that are ours alone."""
    files = [path for path in artifacts.rglob("*") if path.is_file() and path.name not in OURS_ALONE]
    return {str(path.relative_to(artifacts)): path.read_bytes() for path in files}


def read_events(artifacts: Path) -> list[dict[str, Any]]:
    """Return the events of an artifacts directory, in the order of their counters."""
    found = [json.loads(path.read_bytes()) for path in (artifacts / "job_events").glob("*.json")]
    return sorted(found, key=lambda event: int(event["counter"]))
