"""Containers of dead jobs, in a real podman store."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from receptor_runner.cleanup.cleanup import clean_up
from receptor_runner.cleanup.options import Cleanup
from receptor_runner.cleanup.report import Report
from receptor_runner.execution.isolation.container_spec import DIRECTORY_LABEL
from receptor_runner.system.claims import claimed
from tests.harness.containers import IMAGE, PodmanStore, podman_store, session_store

__all__ = ["podman_store", "session_store"]

pytestmark = pytest.mark.slow


@pytest.fixture
def store(podman_store: PodmanStore) -> Iterator[PodmanStore]:
    """A store whose containers are gone afterwards."""
    yield podman_store
    podman_store.podman("rm", "--force", "--all", "--time=0")


def job_directory(path: Path) -> Path:
    """Make the private data directory of a job that began three hours ago."""
    path.mkdir()
    os.utime(path, (time.time() - 10_800,) * 2)
    return path


def run(store: PodmanStore, name: str, directory: Path, *command: str) -> None:
    """Run a container as of a job with this directory."""
    detached = ["--detach"] if command[0] == "sleep" else []
    label = f"--label={DIRECTORY_LABEL}={directory}"
    store.podman("run", *detached, "--name", name, label, IMAGE, *command)


def clean(base: Path, *, dry_run: bool = False) -> tuple[Report, list[str]]:
    """Clean up the directories in a directory; return the report and what was told."""
    told: list[str] = []
    report = clean_up(Cleanup(file_pattern=f"{base}/awx_*", dry_run=dry_run), told.append)
    return report, told


def test_what_a_dead_job_left_goes_with_its_directory(store: PodmanStore, tmp_path: Path) -> None:
    """First its containers, running or not, then the directory; those of nobody else."""
    directory = job_directory(tmp_path / "awx_1, a=b")
    run(store, "runs", directory, "sleep", "600")
    run(store, "ended", directory, "true")
    store.podman("run", "--detach", "--name", "foreign", IMAGE, "sleep", "600")
    report, told = clean(tmp_path)
    assert sorted(told[:2]) == ["Removed container ended", "Removed container runs"]
    assert told[2] == f"Removed private data dir {directory}"
    assert (sorted(report.containers), report.changed) == (["ended", "runs"], True)
    assert store.podman("ps", "--all", "--format={{.Names}}") == "foreign"


def test_what_a_living_job_has_stays(store: PodmanStore, tmp_path: Path) -> None:
    """The directory is claimed, so nothing of the job is touched."""
    directory = job_directory(tmp_path / "awx_1")
    run(store, "runs", directory, "sleep", "600")
    with claimed(directory):
        report, _told = clean(tmp_path)
    assert (report.containers, report.changed) == ([], False)
    assert store.podman("ps", "--format={{.Names}}") == "runs"


def test_of_directories_that_are_gone_only_what_has_ended_goes(store: PodmanStore, tmp_path: Path) -> None:
    """After a power cut nothing else is left; a directory that is not seen here may be another worker's."""
    run(store, "runs", tmp_path / "gone", "sleep", "600")
    run(store, "ended", tmp_path / "gone", "true")
    report, told = clean(tmp_path)
    assert told == ["Removed container ended"]
    assert report.changed
    assert store.podman("ps", "--all", "--format={{.Names}}") == "runs"


def test_a_dry_run_names_them_and_removes_none(store: PodmanStore, tmp_path: Path) -> None:
    """What would go is told by name."""
    directory = job_directory(tmp_path / "awx_1")
    run(store, "ended", directory, "true")
    report, told = clean(tmp_path, dry_run=True)
    assert told[0] == "Would remove container ended"
    assert not report.changed
    assert store.podman("ps", "--all", "--format={{.Names}}") == "ended"


def test_an_engine_that_fails_costs_no_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without containers there is nothing else to remove, and the reason is a warning."""
    engine = tmp_path / "bin" / "podman"
    engine.parent.mkdir()
    engine.write_text("#!/bin/sh\necho cannot open the store >&2\nexit 125\n")
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", str(engine.parent), prepend=":")
    directory = job_directory(tmp_path / "awx_1")
    report, _told = clean(tmp_path)
    assert not directory.exists()
    assert report.failure() is None
    assert "cannot open the store" in caplog.text
