"""Where our own directories may be created."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from receptor_runner.system import directories
from receptor_runner.system.directories import NODE_PREFIX, holds_embedded_node, state_directories


@pytest.fixture(autouse=True)
def without_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user has no account, as in many containers."""
    monkeypatch.setattr(directories, "_home_of_account", lambda: None)


def test_the_state_directory_comes_before_the_home(tmp_path: Path) -> None:
    """XDG_STATE_HOME is preferred; HOME and the account's home come after it."""
    variables = {"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)}
    state, home = state_directories(variables)
    assert state == tmp_path / "state" / "receptor-runner"
    assert home == tmp_path / ".local" / "state" / "receptor-runner"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"HOME": ""},
        {"HOME": "relative"},
        {"XDG_STATE_HOME": "relative"},
        {"HOME": "/proc"},
        {"HOME": "/dev/null"},
    ],
)
def test_without_a_home_there_is_none(variables: dict[str, str]) -> None:
    """No home, one that is not absolute, and one that cannot be written are no error, and no place either."""
    if "/proc" in variables.values() and os.geteuid() == 0:
        pytest.skip("root may write anywhere, as far as the system tells beforehand")
    assert list(state_directories(variables)) == []


def test_root_keeps_out_of_the_homes_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a HOME that sudo kept, root would lock its owner out of what it creates there."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    owner = os.stat_result((0o40700, 0, 0, 1, 4242, 0, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda _path, **_options: owner)
    assert list(state_directories({"HOME": str(tmp_path)})) == []


def test_directories_of_nodes_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node's directory is known from inside, by itself, and from above; others are not."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    node = tmp_path / "receptor-runner" / f"{NODE_PREFIX}x"
    (node / "units").mkdir(parents=True)
    for held in (node / "units", node, node.parent, tmp_path, tmp_path.parent):
        assert holds_embedded_node(held)
    assert not holds_embedded_node(tmp_path / "else")
