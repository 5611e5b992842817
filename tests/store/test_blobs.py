"""A store on a disk: private, bounded, and never the source of a wrong file."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest
from receptor_runner.errors import ArchiveError
from receptor_runner.store.blobs import Store, open_store

CONTENT = b"- hosts: all\n" * 100_000
DIGEST = hashlib.sha256(CONTENT).digest()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    (tmp_path / "store").mkdir(mode=0o700)
    return Store(directory=tmp_path / "store")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file to keep."""
    path = tmp_path / "site.yml"
    path.write_bytes(CONTENT)
    return path


def place_of(store: Store) -> Path:
    """Return the one file in a store."""
    (path,) = (path for path in store.directory.rglob("*") if path.is_file())
    return path


def test_what_was_added_comes_back(store: Store, source: Path) -> None:
    """A file is kept as a copy that only its owner may read, and comes back as it was."""
    assert store.add(source, DIGEST)
    assert store.has(DIGEST, len(CONTENT))
    assert b"".join(store.pieces(DIGEST)) == CONTENT
    assert stat.S_IMODE(place_of(store).stat().st_mode) == 0o600
    assert stat.S_IMODE(place_of(store).parent.stat().st_mode) == 0o700
    assert place_of(store).stat().st_ino != source.stat().st_ino


def test_a_file_that_was_changed_meanwhile_is_not_kept(store: Store, source: Path) -> None:
    """What has another digest than it should have leaves nothing behind."""
    source.write_bytes(b"the job was here")
    assert not store.add(source, DIGEST)
    assert not store.has(DIGEST)
    assert [path for path in store.directory.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("replaced", ["link", "fifo", "nothing", "directory"])
def test_only_regular_files_are_added(store: Store, source: Path, replaced: str) -> None:
    """What a job puts in the place of a file is neither followed nor waited for."""
    source.rename(source.with_name("elsewhere"))
    if replaced == "link":
        source.symlink_to("elsewhere")
    elif replaced == "fifo":
        os.mkfifo(source)
    elif replaced == "directory":
        source.mkdir()
    if replaced == "link":
        with pytest.raises(OSError, match="symbolic"):
            store.add(source, DIGEST)
    else:
        assert not store.add(source, DIGEST)
    assert not store.has(DIGEST)


def test_a_changed_file_is_found_out_and_goes(store: Store, source: Path) -> None:
    """Content that does not have its digest is an error at the end of the copy, and is removed."""
    store.add(source, DIGEST)
    place_of(store).write_bytes(CONTENT[:-1] + b"!")
    assert store.has(DIGEST, len(CONTENT))
    with pytest.raises(ArchiveError, match="has been changed"):
        list(store.pieces(DIGEST))
    assert not store.has(DIGEST)


def test_another_size_or_a_link_is_not_there(store: Store, source: Path) -> None:
    """What can be seen without reading is seen."""
    store.add(source, DIGEST)
    place = place_of(store)
    assert not store.has(DIGEST, 5)
    place.unlink()
    place.symlink_to(source)
    assert not store.has(DIGEST, len(CONTENT))
    with pytest.raises(ArchiveError, match="lost"):
        list(store.pieces(DIGEST))


def test_it_stays_within_its_limit(store: Store, tmp_path: Path) -> None:
    """The least recently used files go; a use makes a file young again."""
    digests = []
    for number in range(4):
        content = bytes([number]) * 1000
        (tmp_path / "one").write_bytes(content)
        digests.append(hashlib.sha256(content).digest())
        store.add(tmp_path / "one", digests[-1])
        name = digests[-1].hex()
        os.utime(store.directory / name[:2] / name, (number, number))
    assert store.has(digests[0])

    Store(directory=store.directory, limit=2500).trim()

    assert [store.has(digest) for digest in digests] == [True, False, False, True]


def test_what_a_killed_worker_left_goes(store: Store, source: Path) -> None:
    """An unfinished copy is removed once it is old; a young one may still be written."""
    store.add(source, DIGEST)
    old, young = place_of(store).with_name("new-old"), place_of(store).with_name("new-young")
    for path in (old, young):
        path.write_bytes(b"x")
    os.utime(old, (0, 0))

    store.trim()

    assert (old.exists(), young.exists(), store.has(DIGEST)) == (False, True, True)


def test_clearing_removes_all(store: Store, source: Path) -> None:
    """A dry run removes nothing and says the same."""
    store.add(source, DIGEST)
    assert store.clear(dry_run=True) == len(CONTENT)
    assert store.clear() == len(CONTENT)
    assert store.clear() == 0


def test_the_users_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is below the user's state directory, made private; one that others may look into is not used."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    opened = open_store(1000)
    assert opened == Store(directory=tmp_path / "receptor-runner" / "store", limit=1000)
    assert opened.is_private
    opened.directory.chmod(0o755)
    assert open_store() is None
