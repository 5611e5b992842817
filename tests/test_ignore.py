"""What of a project travels."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from receptor_runner.ignore import project_rule

from tests.harness import Project


@pytest.fixture
def repository(tmp_path: Path) -> Project:
    """A git repository."""
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q")
    return Project(root)


def git(root: Path, *words: str) -> None:
    """Run git in a repository."""
    subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True)


def travelling(root: Path, notes: list[str] | None = None) -> set[str]:
    """Return the names of the files that travel; what does not travel is not entered."""
    travels = project_rule(root, (notes if notes is not None else []).append)
    found: set[str] = set()
    for directory, subdirectories, files in os.walk(root):
        below = Path(directory).relative_to(root)
        subdirectories[:] = [name for name in subdirectories if travels(str(below / name))]
        found |= {str(below / name) for name in files if travels(str(below / name))}
    return found


def test_what_git_ignores_stays(repository: Project) -> None:
    """Neither `.git` nor what .gitignore names at any level travels; a tracked file does, whatever it is called."""
    repository.write(".gitignore", ".venv/\n*.log\n")
    repository.write(".venv/bin/python", "")
    repository.write("run.log", "")
    repository.write("kept.log", "")
    repository.write("roles/web/.gitignore", "draft\n")
    repository.write("roles/web/draft", "")
    repository.write("roles/web/tasks/main.yml", "")
    git(repository.path, "add", "-f", "kept.log")
    assert travelling(repository.path) == {
        ".gitignore",
        "kept.log",
        "roles/web/.gitignore",
        "roles/web/tasks/main.yml",
    }


def test_installed_roles_and_collections_travel(repository: Project) -> None:
    """Ansible loads them from the project, though git ignores what ansible-galaxy has installed."""
    repository.write(".gitignore", "collections/\nroles/external\n")
    repository.write("collections/ansible_collections/a/b/README.md", "")
    repository.write("roles/external/common/tasks/main.yml", "")
    assert {
        "collections/ansible_collections/a/b/README.md",
        "roles/external/common/tasks/main.yml",
    } <= travelling(repository.path)


def test_runnerignore_has_the_last_word(repository: Project) -> None:
    """It leaves out what git would send, and takes along what git ignores."""
    repository.write(".gitignore", "build/\n")
    repository.write(".runnerignore", "docs/\n!build/\n")
    repository.write("docs/page.md", "")
    repository.write("build/app.tar", "")
    found = travelling(repository.path)
    assert "docs/page.md" not in found
    assert "build/app.tar" in found


def test_without_git_everything_travels(tmp_path: Path) -> None:
    """A directory that is no repository is sent whole."""
    (tmp_path / ".gitignore").write_text("a\n")
    (tmp_path / "a").write_text("")
    assert travelling(tmp_path) == {".gitignore", "a"}


def test_a_repository_that_git_refuses_is_said(tmp_path: Path) -> None:
    """Everything but `.git` travels then, and the person hears why."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("broken")
    (tmp_path / "a").write_text("")
    notes: list[str] = []
    assert travelling(tmp_path, notes) == {"a"}
    assert "git does not say what it ignores" in notes[0]
