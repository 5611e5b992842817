"""The directory of a mesh: taken only if nothing is lost, removed only if it is ours."""

from __future__ import annotations

import dataclasses
import os
import threading
from pathlib import Path

import pytest
from receptor_runner.errors import UsageError
from receptor_runner.mesh.local.directory import MARKER, Claim, MeshDirectory, default_directory
from tests.harness import wait_until
from tests.mesh.conftest import ROW, description_of

MESH = description_of(ROW)


@pytest.fixture
def directory(tmp_path: Path) -> MeshDirectory:
    """A directory that does not exist yet."""
    return MeshDirectory(tmp_path / "mesh")


def test_claim(directory: MeshDirectory) -> None:
    """A new or empty directory is taken, for its owner only; files that are complete are not written again."""
    assert directory.claim(MESH) is Claim.NEW
    assert directory.claim(MESH) is Claim.INCOMPLETE, "what was interrupted is written again"
    directory.complete(MESH)
    assert directory.claim(MESH) is Claim.COMPLETE
    assert directory.path.stat().st_mode & 0o077 == 0


def test_one_name_for_one_directory(directory: MeshDirectory, tmp_path: Path) -> None:
    """However a directory is written, the mesh in it, and the processes of that, are found by the same path."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    assert MeshDirectory(tmp_path / "sub" / ".." / "mesh").path == directory.path
    assert MeshDirectory(tmp_path / "link" / "mesh").path == directory.path


def test_comments_make_no_other_mesh(directory: MeshDirectory) -> None:
    """The same mesh on other lines of its file is the same mesh; another node makes another one."""
    directory.claim(MESH)
    directory.complete(MESH)
    moved = dataclasses.replace(MESH, nodes=tuple(dataclasses.replace(node, line=9) for node in MESH.nodes))

    assert directory.claim(moved) is Claim.COMPLETE
    with pytest.raises(UsageError, match="holds another mesh"):
        directory.claim(dataclasses.replace(MESH, tls=True))


def test_foreign_directory(directory: MeshDirectory) -> None:
    """A directory with anything else in it is neither taken nor removed."""
    directory.path.mkdir()
    (directory.path / "mine").touch()

    with pytest.raises(UsageError, match="is not an empty directory"):
        directory.claim(MESH)
    with pytest.raises(UsageError, match="holds no mesh of yours"):
        directory.remove()
    assert [path.name for path in directory.path.iterdir()] == ["mine"]


def test_file_in_the_way(directory: MeshDirectory) -> None:
    """A file in place of the directory is left alone."""
    directory.path.touch()

    with pytest.raises(UsageError):
        directory.claim(MESH)
    with pytest.raises(UsageError):
        directory.remove()
    assert directory.path.is_file()


def test_remove(directory: MeshDirectory, tmp_path: Path) -> None:
    """Everything goes, read-only directories too, but nothing that a link in it leads to; twice does no harm."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    directory.claim(MESH)
    (directory.path / "link").symlink_to(tmp_path / "precious")
    (directory.path / "node").mkdir()
    (directory.path / "node" / "file").touch()
    (directory.path / "node").chmod(0o500)

    assert directory.remove()
    assert not directory.remove()
    assert not directory.path.exists()
    assert (tmp_path / "precious" / "file").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_directory_of_another_user(directory: MeshDirectory) -> None:
    """A directory that somebody else has made under the expected name is not used, even if it is empty."""
    directory.path.mkdir()
    os.chown(directory.path, 12345, 12345)

    with pytest.raises(UsageError, match="belongs to another user"):
        directory.claim(MESH)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_marker_of_another_user(directory: MeshDirectory) -> None:
    """A marker that somebody else has put there makes no mesh of ours."""
    directory.claim(MESH)
    os.chown(directory.path / MARKER, 12345, 12345)

    with pytest.raises(UsageError, match="holds no mesh of yours"):
        directory.remove()


def test_usual_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual directory is below the user's state directory, and needs no runtime directory."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert default_directory() == tmp_path / "receptor-runner" / "mesh"


def test_no_state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a state directory gets one of their own in the temporary directory."""
    monkeypatch.setattr("receptor_runner.mesh.local.directory.state_directories", lambda: iter(()))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    assert default_directory() == tmp_path / f"receptor-runner-mesh-{os.geteuid()}"


class Waiter(threading.Thread):
    """Another process's attempt to take the directory, as a thread; the lock does not know the difference."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.said: list[str] = []
        self.claims: list[Claim] = []
        self._directory = MeshDirectory(directory)

    def run(self) -> None:
        """Take it, once it is free."""
        with self._directory.locked(MESH, self.said.append) as claim:
            self.claims.append(claim)


@pytest.mark.parametrize("ends_well", [True, False])
def test_one_at_a_time(directory: MeshDirectory, ends_well: bool) -> None:
    """While a mesh is being started another attempt waits, and takes the directory as it is left."""
    waiter = Waiter(directory.path)
    with directory.locked(MESH, pytest.fail) as claim:
        assert claim is Claim.NEW
        waiter.start()
        wait_until(lambda: waiter.said, "the other one waits")
        assert waiter.claims == []
        if ends_well:
            directory.complete(MESH)
        else:
            directory.remove()
    waiter.join(30)
    assert waiter.said == [f"waiting for another process that is starting the mesh in {directory.path}"]
    assert waiter.claims == [Claim.INCOMPLETE if ends_well else Claim.NEW]
    assert directory.claim(MESH) is (Claim.COMPLETE if ends_well else Claim.INCOMPLETE)
