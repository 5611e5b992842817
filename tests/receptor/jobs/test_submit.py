"""Starting a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from receptor_runner.receptor.jobs.record import RecordFile
from receptor_runner.receptor.jobs.submit import is_disposable

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Commands, Project


def test_artifacts_would_stay_on_the_node(commands: Commands, project: Project) -> None:
    """A whole job with a place for artifacts outside of its directory is refused before any node is asked."""
    words = ("run", project.path, "-p", "test.yml", "--artifact-dir", "/tmp/artifacts", "--socket", "/nope")
    done = commands.ours(*words)
    assert done.rc == 64
    assert "is outside of the private data directory" in done.stderr
    assert not (project.path / "artifacts").exists()


def test_an_earlier_job_stays_until_the_new_one_can_be_submitted(
    commands: Commands, project: Project
) -> None:
    """`--rerun` without a node that answers costs nothing; with one it replaces the job."""
    words = ("run", project.path, "-p", project.playbook("- debug: msg=hello"), "-i", "job")
    assert commands.ours(*words).rc == 0
    kept = {path: path.read_bytes() for path in project.artifacts("job").rglob("*") if path.is_file()}
    assert commands.ours(*words, "--rerun", "--socket", "/nope", "--retry-deadline", "0").rc == 69
    left = {path: path.read_bytes() for path in project.artifacts("job").rglob("*") if path.is_file()}
    lock = project.artifacts("job") / "unit.lock"  # names the process that held it last
    assert {**left, lock: b""} == {**kept, lock: b""}
    assert commands.ours(*words, "--rerun").rc == 0
    assert not any(path.exists() for path in kept if path.parent.name == "job_events")


def test_a_job_that_is_being_submitted_is_not_rotated_away(tmp_path: Path) -> None:
    """It has no record yet, but somebody holds it."""
    file = RecordFile(tmp_path, "job")
    with file.locked():
        assert not is_disposable(tmp_path, "job")
    assert is_disposable(tmp_path, "job")
