"""What is remembered of workers saves questions, and is never relied upon."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from receptor_runner.store.remembered import WorkerMemory

NAME = ("near", "far", "receptor-runner")


def memory(place: Path | None, worker: tuple[str, ...] = NAME) -> WorkerMemory:
    """Return what is remembered of a worker at a place."""
    return WorkerMemory(directory=place, worker=worker)


def digests(first: int, count: int) -> list[bytes]:
    """Return some digests."""
    return [hashlib.sha256(str(number).encode()).digest() for number in range(first, first + count)]


def test_a_refusal_counts_for_a_while(tmp_path: Path) -> None:
    """Only of that worker, and not longer than an hour."""
    assert not memory(tmp_path / "state").refuses
    memory(tmp_path / "state").note_refusal()
    assert memory(tmp_path / "state").refuses
    assert not memory(tmp_path / "state", ("near", "other", "receptor-runner")).refuses

    (path,) = (tmp_path / "state" / "without-store").iterdir()
    os.utime(path, (0, 0))
    assert not memory(tmp_path / "state").refuses
    memory(tmp_path / "state").note_refusal()
    assert memory(tmp_path / "state").refuses


def test_files_are_remembered_until_one_was_missing(tmp_path: Path) -> None:
    """What several jobs brought adds up; after a refusal nothing of it counts any more."""
    memory(tmp_path).note_kept(digests(0, 2))
    memory(tmp_path).note_kept(digests(1, 2))
    assert memory(tmp_path).kept == set(digests(0, 3))
    assert memory(tmp_path, ("near", "other", "x")).kept == set()
    memory(tmp_path).forget_kept()
    assert memory(tmp_path).kept == set()
    assert not memory(tmp_path).refuses


def test_the_oldest_files_are_forgotten(tmp_path: Path) -> None:
    """The memory of a worker is bounded."""
    memory(tmp_path).note_kept(digests(0, 10))
    memory(tmp_path).note_kept(digests(10, 100_000))
    assert memory(tmp_path).kept == set(digests(10, 100_000))


def test_what_only_its_owner_may_read_says_what_a_project_holds(tmp_path: Path) -> None:
    """Nobody else learns which files a project has."""
    memory(tmp_path / "state").note_kept(digests(0, 1))
    (path,) = (tmp_path / "state" / "with-files").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_without_a_place_nothing_is_remembered(tmp_path: Path) -> None:
    """A user without a home, or a disk that refuses, asks each time."""
    (tmp_path / "file").touch()
    for nowhere in (memory(None), memory(tmp_path / "file" / "x")):
        nowhere.note_refusal()
        nowhere.note_kept(digests(0, 1))
        nowhere.forget_kept()
        assert not nowhere.refuses
        assert nowhere.kept == set()
