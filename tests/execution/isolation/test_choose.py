"""Which isolation a job gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from receptor_runner.errors import ConfigError, MissingInput
from receptor_runner.execution.isolation.bwrap import Bwrap
from receptor_runner.execution.isolation.choose import KNOWN, choose_isolation
from receptor_runner.execution.isolation.container import Container
from receptor_runner.execution.isolation.direct import Direct
from receptor_runner.execution.isolation.docker import Docker
from receptor_runner.execution.isolation.engine import Isolation
from receptor_runner.execution.isolation.podman import Podman
from receptor_runner.job import Job


def chosen(**options: Any) -> Isolation:
    """Return the isolation for a job with these options."""
    job = Job.from_kwargs(options)
    return choose_isolation(job, Path("/job"), Path(job.artifact_dir or "/job/artifacts") / "7", "7")


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with all engines on it, none of which is ever run."""
    for name in KNOWN:
        (tmp_path / name).write_text("#!/bin/sh\nexit 99\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "needs a container_image"),
        ({"container_image": "x", "container_volume_mounts": ["/home:/x"]}, "`/home:/x` is refused"),
        ({"container_image": "x", "container_options": ["--pull=maybe"]}, "unknown pull policy `maybe`"),
        ({"container_image": "x", "container_auth_data": {"host": "h"}}, "lacks username and password"),
        ({"container_image": "x", "artifact_dir": "/a:b"}, "/a:b/7 cannot be mounted"),
        ({"process_isolation_executable": "chroot"}, "unknown process_isolation_executable `chroot`"),
    ],
)
def test_what_cannot_be_done_is_refused(engines: Path, options: dict[str, Any], says: str) -> None:
    """A job whose isolation is unknown or incomplete is refused, in words that name what it asks for."""
    with pytest.raises(ConfigError, match=says):
        chosen(process_isolation=True, **options)


@pytest.mark.parametrize(
    ("executable", "kind"),
    [(None, Podman), ("podman", Podman), ("/opt/x/podman", Podman), ("docker", Docker), ("bwrap", Bwrap)],
)
def test_an_engine_is_known_by_its_name_at_any_path(
    engines: Path, monkeypatch: pytest.MonkeyPatch, executable: str | None, kind: type[object]
) -> None:
    """podman by any path is podman, and no executable at all, or null, is podman too."""
    monkeypatch.setattr("shutil.which", lambda name: name)
    isolation = chosen(process_isolation=True, process_isolation_executable=executable, container_image="x")
    found = isolation._engine if isinstance(isolation, Container) else isolation
    assert isinstance(found, kind)


@pytest.mark.parametrize("executable", ["podman", "docker", "bwrap"])
def test_a_missing_engine_is_named(monkeypatch: pytest.MonkeyPatch, executable: str) -> None:
    """An engine that is not installed is an error before anything is done, and says what to install."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingInput, match=f"`{executable}` is not found on this worker") as raised:
        chosen(process_isolation=True, process_isolation_executable=executable, container_image="x")
    assert raised.value.hint


def test_without_isolation_its_options_do_not_matter() -> None:
    """Options of isolation alone ask for nothing."""
    isolation = chosen(process_isolation_executable="chroot", container_image="x")
    assert isinstance(isolation, Direct)
