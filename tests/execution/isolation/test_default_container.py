"""The container of a worker: for jobs that choose no isolation themselves, and for no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from receptor_runner.errors import ConfigError
from receptor_runner.execution.isolation.default_container import DefaultContainer
from receptor_runner.job import Job
from tests.harness import CommandLine, Commands, Project
from tests.harness.containers import IMAGE, PodmanStore

OURS = DefaultContainer(image="ee", executable="docker")


def test_job_that_says_nothing_gets_the_container(tmp_path: Path) -> None:
    """It runs as if it had asked for the worker's image and engine."""
    job = OURS.for_job(Job(playbook="a.yml"), tmp_path)

    assert job == Job(
        playbook="a.yml", process_isolation=True, process_isolation_executable="docker", container_image="ee"
    )


@pytest.mark.parametrize(
    "chosen",
    [
        {"process_isolation": False},
        {"process_isolation": True},
        {"container_image": "own"},
        {"process_isolation_executable": "bwrap", "process_isolation": True},
    ],
)
@pytest.mark.parametrize("by", ["option", "setting", "file"])
def test_job_that_chooses_is_left_alone(tmp_path: Path, chosen: dict[str, Any], by: str) -> None:
    """Whatever it says about its isolation, as an option, a setting or in env/settings, is the job's own choice."""
    job = Job.from_kwargs(chosen if by == "option" else {"settings": chosen} if by == "setting" else {})
    if by == "file":
        (tmp_path / "env").mkdir()
        (tmp_path / "env/settings").write_text("".join(f"{key}: {value}\n" for key, value in chosen.items()))

    assert OURS.for_job(job, tmp_path) is job


def test_broken_settings_are_an_error(tmp_path: Path) -> None:
    """A file that cannot be read is no answer to whether the job chooses."""
    (tmp_path / "env").mkdir()
    (tmp_path / "env/settings").write_text("a: [")

    with pytest.raises(ConfigError):
        OURS.for_job(Job(), tmp_path)


def test_engine_alone_is_refused(command_line: CommandLine) -> None:
    """An engine without an image would do nothing."""
    done = command_line.ours("worker", "--process-isolation-executable", "podman", "--worker-info")

    assert done.rc == 64
    assert "needs --container-image" in done.stderr


@pytest.mark.parametrize(
    ("words", "where"), [([], "/runner/project"), (["--no-process-isolation"], "project")]
)
def test_worker_with_a_container(
    commands: Commands, project: Project, podman_store: PodmanStore, words: list[str], where: str
) -> None:
    """A job runs in the worker's container, or on the worker itself if it says so."""
    commands.environment |= podman_store.environment
    project.playbook("- debug: msg='in {{ playbook_dir }}'")

    sent = commands.ours("transmit", project.path, "-p", "test.yml", "-i", "job", *words)
    options = ["--container-image", IMAGE, "--process-isolation-executable", "podman"]
    worked = commands.ours("worker", *options, stdin=sent.stdout)
    done = commands.ours("process", project.path, "-i", "job", stdin=worked.stdout)
    assert (sent.rc, worked.rc, done.rc) == (0, 0, 0), worked.stderr + done.stderr
    stdout = (project.artifacts("job") / "stdout").read_text()
    assert f'{where}"' in stdout
    assert ("/runner/project" in stdout) is (not words)
