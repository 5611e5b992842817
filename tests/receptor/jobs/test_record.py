"""The record of a job on disk."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import stat
from pathlib import Path

import pytest
from receptor_runner.errors import IdentExists, MissingInput, UsageError, pasteable
from receptor_runner.outcome import Outcome, Status
from receptor_runner.receptor.jobs.record import Record, RecordFile, Stage, read_all
from receptor_runner.results.checkpoint import Checkpoint
from receptor_runner.stream.position import Position


def record(ident: str = "1", **changes: object) -> Record:
    """Return a record with some fields set."""
    fields: dict[str, object] = {
        "ident": ident,
        "digest": "d",
        "socket": "/s",
        "node_directory": None,
        "node": "n",
        "work_type": "t",
    }
    return Record(**fields | changes)  # type: ignore[arg-type]


def test_a_record_survives_the_disk(tmp_path: Path) -> None:
    """What is read is what was written, checkpoint and outcome included."""
    file = RecordFile(tmp_path, "1")
    whole = record(
        stage=Stage.ENDED,
        unit_id="abcdefgh",
        checkpoint=Checkpoint(
            position=Position(offset=7, archive_size=9, archive_received=3), counter=4, status="x"
        ),
        outcome=Outcome(status=Status.FAILED, rc=2, explanation="why"),
    )
    written = file.write(whole)
    assert file.read() == written
    assert dataclasses.replace(written, updated="") == whole
    assert json.loads((file.artifact_dir / "unit.json").read_text())["schema"] == 1
    assert stat.S_IMODE((file.artifact_dir / "unit.json").stat().st_mode) == 0o600


def test_no_record_is_none_and_a_missing_one_is_told(tmp_path: Path) -> None:
    """Reading what is not there is no error; requiring it names the command that lists the jobs."""
    file = RecordFile(tmp_path, "1")
    assert file.read() is None
    with pytest.raises(MissingInput, match="no job `1`"):
        file.require()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 1}'])
def test_a_damaged_record_is_an_error_with_its_path(tmp_path: Path, content: str) -> None:
    """A record that cannot be read is never taken for no record; the hint ends with a command."""
    file = RecordFile(tmp_path, "1")
    file.write(record())
    (file.artifact_dir / "unit.json").write_text(content)
    with pytest.raises(MissingInput, match=r"unit\.json cannot be read") as caught:
        file.read()
    path = file.artifact_dir / "unit.json"
    assert caught.value.hint == f"look at it, or forget the job: {pasteable('rm', path)}"


@pytest.mark.parametrize(
    ("key", "value", "cause"),
    [
        ("socket", 5, "Expected `str`, got `int` - at `$.socket`"),
        ("node", ["x"], "Expected `str`, got `array` - at `$.node`"),
        ("created", "never", "Invalid isoformat string: 'never'"),
        ("stage", "odd", "Invalid enum value 'odd' - at `$.stage`"),
        (
            "checkpoint",
            {"position": {"offset": "1"}},
            "Expected `int`, got `str` - at `$.checkpoint.position.offset`",
        ),
    ],
)
def test_a_value_of_another_type_is_damage_too(tmp_path: Path, key: str, value: object, cause: str) -> None:
    """The error says where it is, and the list of all jobs goes on without this one."""
    file = RecordFile(tmp_path, "1")
    file.write(record())
    path = file.artifact_dir / "unit.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(MissingInput) as caught:
        file.read()
    assert caught.value.cause == cause
    RecordFile(tmp_path, "2").write(record())
    assert [job.place.ident for job in read_all(tmp_path)] == ["2"]


def test_keys_of_later_versions_are_ignored(tmp_path: Path) -> None:
    """A record that a newer program wrote is no damage to an older one."""
    file = RecordFile(tmp_path, "1")
    written = file.write(record())
    path = file.artifact_dir / "unit.json"
    value = json.loads(path.read_text())
    path.write_text(json.dumps({**value, "new": 1, "checkpoint": {**value["checkpoint"], "newer": {}}}))
    assert file.read() == written


@pytest.mark.parametrize("ident", ["", ".", "..", "a/b", "a\0b"])
def test_an_ident_names_one_directory(tmp_path: Path, ident: str) -> None:
    """An ident can never lead out of artifacts/."""
    with pytest.raises(UsageError, match="invalid ident"):
        RecordFile(tmp_path, ident)


def hold(
    directory: Path, held: multiprocessing.synchronize.Event, let_go: multiprocessing.synchronize.Event
) -> None:
    """Hold a job's lock until told to let go."""
    file = RecordFile(directory, "1")
    with file.locked():
        file.write(record())
        held.set()
        let_go.wait(30)


def test_one_process_holds_a_job(tmp_path: Path) -> None:
    """While one process submits or follows a job, another is refused, and told which process that is."""
    context = multiprocessing.get_context("spawn")
    held, let_go = context.Event(), context.Event()
    holder = context.Process(target=hold, args=(tmp_path, held, let_go))
    holder.start()
    assert held.wait(30)
    with (
        pytest.raises(IdentExists, match="held by another process") as caught,
        RecordFile(tmp_path, "1").locked(),
    ):
        pass
    assert str(holder.pid) in str(caught.value.cause)
    let_go.set()
    holder.join(30)
    with RecordFile(tmp_path, "1").locked():
        pass


def test_a_job_that_never_came_to_be_leaves_nothing(tmp_path: Path) -> None:
    """A lock taken in vain leaves no directory behind."""
    with RecordFile(tmp_path, "1").locked():
        pass
    assert list(tmp_path.iterdir()) == []


def test_clearing_keeps_the_fact_cache(tmp_path: Path) -> None:
    """Making room for a new run removes everything of the old one but its facts."""
    file = RecordFile(tmp_path, "1")
    file.write(record())
    (file.artifact_dir / "fact_cache").mkdir()
    (file.artifact_dir / "job_events").mkdir()
    (file.artifact_dir / "stdout").write_text("x")
    file.clear()
    assert [path.name for path in file.artifact_dir.iterdir()] == ["fact_cache"]


def test_all_records_come_oldest_first(tmp_path: Path) -> None:
    """The jobs of a directory are listed in the order of their creation; a missing directory is told."""
    for ident, created in (("a", "2026-01-02"), ("b", "2026-01-01")):
        RecordFile(tmp_path, ident).write(record(ident, created=created))
    assert [found.record.ident for found in read_all(tmp_path)] == ["b", "a"]
    with pytest.raises(MissingInput):
        list(read_all(tmp_path / "nope"))


def test_a_cancel_is_noted_beside_the_record(tmp_path: Path) -> None:
    """Who canceled a job is noted without touching its record, and forgotten with it."""
    file = RecordFile(tmp_path, "1")
    file.write(record())
    assert file.canceled_by() is None
    file.note_cancel()
    assert f"process {os.getpid()} at" in str(file.canceled_by())
    file.forget_cancel()
    file.forget_cancel()
    assert file.canceled_by() is None


def test_who_holds_a_job_is_seen_without_its_lock(tmp_path: Path) -> None:
    """A job is held exactly while some process has its lock."""
    file = RecordFile(tmp_path, "1")
    assert not file.is_held()
    with file.locked():
        file.write(record())
        assert RecordFile(tmp_path, "1").is_held()
    assert not file.is_held()
