"""What is installed, found without importlib.metadata."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest
from receptor_runner.system.packages import installed_version, registers_entry_points


def test_a_version_is_the_one_of_the_metadata() -> None:
    """The name may be written with dashes or underscores."""
    assert installed_version("ansible-core") == metadata.version("ansible-core")
    assert installed_version("ansible_core") == metadata.version("ansible-core")


def test_what_is_not_installed_has_no_version() -> None:
    """A name that begins like that of another distribution is not that distribution."""
    assert installed_version("ansible-cor") is None


def test_what_another_installer_left_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Distribution packages may have a file `NAME.egg-info` without a version in its name."""
    (tmp_path / "strange_thing.egg-info").write_text(
        "Metadata-Version: 1.1\nName: strange-thing\nVersion: 4.2\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert installed_version("strange-thing") == "4.2"


@pytest.mark.parametrize("directory", ["plugin-1.dist-info", "plugin.egg-info"])
def test_entry_points_are_found_by_their_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, directory: str
) -> None:
    """A directory on the path that cannot be read is none."""
    (tmp_path / directory).mkdir()
    (tmp_path / directory / "entry_points.txt").write_text("[some.group]\nname = module\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "gone"), str(tmp_path)])
    assert registers_entry_points("some.group")
    assert not registers_entry_points("some.other")
