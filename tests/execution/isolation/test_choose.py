"""Which isolation a job gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from receptor_runner.errors import ConfigError
from receptor_runner.execution.isolation.choose import choose_isolation
from receptor_runner.execution.isolation.direct import Direct
from receptor_runner.execution.isolation.engine import Isolation
from receptor_runner.job import Job


def chosen(**options: Any) -> Isolation:
    """Return the isolation for a job with these options."""
    return choose_isolation(Job.from_kwargs(options), Path("/job"), Path("/job/artifacts/7"), "7")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "by podman"),
        ({"process_isolation_executable": "/usr/bin/docker"}, "by /usr/bin/docker"),
        ({"process_isolation_executable": "chroot"}, "unknown process_isolation_executable `chroot`"),
    ],
)
def test_isolation_is_refused(options: dict[str, Any], says: str) -> None:
    """A job that wants isolation is refused, in words that name what it wants."""
    with pytest.raises(ConfigError, match=says):
        chosen(process_isolation=True, **options)


def test_without_isolation_its_options_do_not_matter() -> None:
    """Options of isolation alone ask for nothing."""
    isolation = chosen(process_isolation_executable="chroot", container_image="x")
    assert isinstance(isolation, Direct)
