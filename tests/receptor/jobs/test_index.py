"""The index of a user's jobs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from receptor_runner.receptor.jobs import index
from receptor_runner.receptor.jobs.index import JobPlace
from receptor_runner.receptor.jobs.record import Record, RecordFile, forget_vanished, read_indexed


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of the test's own, and no other: the account's home is one too."""
    directory = tmp_path / "state" / "receptor-runner"
    monkeypatch.setattr(index, "state_directories", lambda: iter([directory]))
    return directory


def recorded(directory: Path, ident: str, created: str = "2026-01-01T00:00:00+00:00") -> RecordFile:
    """Record and index a job."""
    file = RecordFile(directory, ident)
    file.write(
        Record(
            ident=ident, digest="", socket="s", node_directory=None, node="n", work_type="w", created=created
        )
    )
    index.add(file.place)
    return file


def idents() -> list[str]:
    """Return the idents of the user's jobs."""
    return [job.record.ident for job in read_indexed()]


def test_jobs_of_all_directories_are_found(tmp_path: Path) -> None:
    """Jobs of any directory are listed, oldest first, and each once however often it was noted."""
    recorded(tmp_path / "b", "late", created="2026-02-01T00:00:00+00:00")
    file = recorded(tmp_path / "a", "early")
    index.add(file.place)
    recorded(tmp_path / "b", "early", created="2026-03-01T00:00:00+00:00")
    assert idents() == ["early", "late", "early"]


def test_a_directory_that_is_gone_hides_its_jobs_until_it_is_back(tmp_path: Path) -> None:
    """A vanished directory, which may be a disk that is not mounted, costs no error and no entry."""
    recorded(tmp_path / "a", "one")
    recorded(tmp_path / "b", "two")
    (tmp_path / "a").rename(tmp_path / "elsewhere")
    assert idents() == ["two"]
    (tmp_path / "elsewhere").rename(tmp_path / "a")
    assert idents() == ["one", "two"]


def test_pruning_forgets_what_is_gone(tmp_path: Path) -> None:
    """An entry whose record is gone goes when jobs are pruned, or those of its directory; others stay."""
    recorded(tmp_path / "a", "one")
    recorded(tmp_path / "b", "two")
    shutil.rmtree(tmp_path / "a")
    forget_vanished(tmp_path / "b")
    assert [place.ident for place in index.places()] == ["one", "two"]
    forget_vanished()
    assert [place.ident for place in index.places()] == ["two"]


def test_only_the_preferred_state_directory_counts(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sets another HOME keeps those jobs apart: nothing of the usual ones is shown or pruned."""
    recorded(tmp_path / "a", "usual")
    shutil.rmtree(tmp_path / "a")
    monkeypatch.setattr(index, "state_directories", lambda: iter([tmp_path / "apart", state]))
    assert index.places() == []
    forget_vanished()
    monkeypatch.setattr(index, "state_directories", lambda: iter([state]))
    assert [place.ident for place in index.places()] == ["usual"]


def test_a_job_that_is_forgotten_leaves_the_index(tmp_path: Path) -> None:
    """Removing the record removes the entry."""
    recorded(tmp_path / "a", "one").remove()
    assert index.places() == []


def test_the_index_is_bounded(tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest entries make room for new ones."""
    monkeypatch.setattr(index, "MOST_JOBS", 2)
    for number in range(4):
        recorded(tmp_path / "a", f"{number}")
        for path in (state / "jobs").iterdir():
            os.utime(path, (path.stat().st_mtime - 10,) * 2)
    assert [place.ident for place in index.places()] == ["2", "3"]


def test_damage_is_left_out(tmp_path: Path, state: Path) -> None:
    """A file that holds no entry costs nothing but itself."""
    recorded(tmp_path / "a", "one")
    for name, content in (("half", '{"ident":'), ("other", "[]"), ("empty", "")):
        (state / "jobs" / f"{name}.json").write_text(content)
    assert idents() == ["one"]


def test_a_state_directory_that_cannot_be_written_fails_no_job(tmp_path: Path, state: Path) -> None:
    """Where nothing can be noted the job goes on without."""
    state.parent.mkdir()
    state.write_text("a file in the way")
    index.add(JobPlace(private_data_dir=tmp_path, ident="one"))
