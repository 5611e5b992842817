"""Which ansible.cfg counts, and which directory travels."""

from __future__ import annotations

from pathlib import Path

import pytest
from receptor_runner.ansible_cli.project import find_project


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with an ansible.cfg, and one below it where commands are typed."""
    (tmp_path / "root" / "sub").mkdir(parents=True)
    (tmp_path / "root" / "ansible.cfg").write_text("[defaults]\nforks=7\n")
    return tmp_path / "root"


@pytest.mark.parametrize("named", ["{root}/ansible.cfg", "../ansible.cfg", "{root}", "..", "$UP/ansible.cfg"])
def test_the_root_does_not_depend_on_how_the_configuration_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """An absolute path, a relative one, a directory or a variable: the same file makes the same project."""
    monkeypatch.setenv("UP", "..")
    environment = {"ANSIBLE_CONFIG": named.format(root=root), "HOME": "/nonexistent"}
    project = find_project(root / "sub", environment)
    assert (project.config, project.root) == (root / "ansible.cfg", root)
    assert project.setting("defaults", "forks") == "7"


@pytest.mark.parametrize("named", ["/nonexistent", "/tmp"])
def test_a_configuration_that_is_not_there_makes_room_for_the_next(root: Path, named: str) -> None:
    """As for Ansible, which goes on with the one in the current directory."""
    project = find_project(root, {"ANSIBLE_CONFIG": named, "HOME": "/nonexistent"})
    assert project.config == root / "ansible.cfg"
