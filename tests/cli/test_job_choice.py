"""Which job a command means."""

from __future__ import annotations

from pathlib import Path

import pytest
from receptor_runner.cli import job_choice
from receptor_runner.errors import MissingInput, UsageError
from receptor_runner.receptor.jobs import index
from receptor_runner.receptor.jobs.record import Record, RecordFile


@pytest.fixture(autouse=True)
def _jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "state_directories", lambda: iter([tmp_path / "state"]))
    for directory, ident in (
        ("a", "deadbeef01"),
        ("a", "deadbeef02"),
        ("b", "cafe0001"),
        ("a", "same"),
        ("b", "same"),
    ):
        file = RecordFile(tmp_path / directory, ident)
        file.write(Record(ident=ident, digest="", socket="s", node_directory=None, node="n", work_type="w"))
        index.add(file.place)


def test_an_ident_is_found_without_its_directory(tmp_path: Path) -> None:
    """The whole ident, or a beginning that only one job has, leads to its directory."""
    for name in ("cafe0001", "cafe"):
        place = job_choice.find(None, name)
        assert (place.private_data_dir, place.ident) == (tmp_path / "b", "cafe0001")
    assert job_choice.find(tmp_path / "a", "deadbeef02").ident == "deadbeef02"


def test_what_is_not_unique_is_refused(tmp_path: Path) -> None:
    """A beginning that two jobs have, or an ident in two directories, is an error that names them."""
    with pytest.raises(UsageError, match="deadbeef01, deadbeef02"):
        job_choice.find(None, "deadbeef")
    with pytest.raises(UsageError, match="several jobs are called `same`"):
        job_choice.find(None, "same")
    assert job_choice.find(tmp_path / "b", "same").private_data_dir == tmp_path / "b"


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    """No job of that ident, here or anywhere; a beginning of less than four characters means none."""
    for directory, name in ((None, "nope"), (tmp_path / "b", "deadbeef01"), (None, "caf")):
        with pytest.raises(MissingInput, match=f"no job `{name}`"):
            job_choice.find(directory, name)
