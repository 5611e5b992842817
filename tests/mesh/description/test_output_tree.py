"""Many files written as one step."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from receptor_runner.errors import OutputFailed
from receptor_runner.mesh.output_tree import PRIVATE, File, exclusive, write_tree

FILES = {"a": File(content=b"one"), "deep/er/b": File(content=b"two", mode=PRIVATE)}


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    """Content and mode count; what is the same is not touched."""
    assert write_tree(tmp_path, FILES) == ("a", "deep/er/b")
    assert write_tree(tmp_path, FILES) == ()
    assert stat.S_IMODE((tmp_path / "deep/er/b").stat().st_mode) == 0o600

    assert write_tree(tmp_path, {**FILES, "a": File(content=b"other")}) == ("a",)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "deep"]


def test_link_stays_a_link(tmp_path: Path) -> None:
    """A file that somebody keeps elsewhere is compared and replaced there."""
    elsewhere, directory = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    directory.mkdir()
    (directory / "a").symlink_to(elsewhere / "a")

    assert write_tree(directory, FILES) == ("a", "deep/er/b")
    assert write_tree(directory, FILES) == ()
    assert (directory / "a").is_symlink()
    assert (elsewhere / "a").read_bytes() == b"one"


def test_failure_leaves_everything(tmp_path: Path) -> None:
    """If the last file cannot be written, the first one is as before, and directories that were made are gone."""
    write_tree(tmp_path, {"a": File(content=b"old"), "wall": File(content=b"")})

    with pytest.raises(OutputFailed, match="cannot write to"):
        write_tree(tmp_path, {**FILES, "wall/c": File(content=b"")})
    assert (tmp_path / "a").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "wall"]


def test_what_cannot_take_its_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files before it are new, those behind it as before, and no draft is left."""
    write_tree(tmp_path, dict.fromkeys("abc", File(content=b"old")))
    replace = Path.replace

    def fail_at_b(draft: Path, target: Path) -> Path:
        if target.name == "b":
            raise OSError(5, "Input/output error", str(target))
        return replace(draft, target)

    monkeypatch.setattr(Path, "replace", fail_at_b)
    with pytest.raises(OutputFailed, match="not all files in") as caught:
        write_tree(tmp_path, dict.fromkeys("abc", File(content=b"new")))
    assert f"as before: {tmp_path / 'b'}, {tmp_path / 'c'}" in str(caught.value.cause)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "a": b"new",
        "b": b"old",
        "c": b"old",
    }


def test_one_run_at_a_time(tmp_path: Path) -> None:
    """A second run is refused while the first one is at it, and welcome afterwards."""
    with (
        exclusive(tmp_path),
        pytest.raises(OutputFailed, match="in use by another process"),
        exclusive(tmp_path),
    ):
        pass
    with exclusive(tmp_path):
        pass


def test_directory_that_stays_empty_is_removed(tmp_path: Path) -> None:
    """A run that fails before it writes leaves nothing."""
    with exclusive(tmp_path / "new"):
        assert (tmp_path / "new").is_dir()
    assert not (tmp_path / "new").exists()
