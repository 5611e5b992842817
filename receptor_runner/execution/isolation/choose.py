"""Which kind of isolation a job wants."""

from __future__ import annotations

from pathlib import Path

from receptor_runner.errors import ConfigError
from receptor_runner.execution.isolation.direct import Direct
from receptor_runner.execution.isolation.engine import Isolation
from receptor_runner.job import Job

KNOWN = ("podman", "docker", "bwrap")


def choose_isolation(job: Job, private_data_dir: Path, artifact_dir: Path, ident: str) -> Isolation:
    """Return the isolation that a job asks for.

    Args:
        job: the job, its options already joined with the settings.
        private_data_dir: its files.
        artifact_dir: where its artifacts go.
        ident: its ident.

    Raises:
        ConfigError: the engine is unknown or not available here, or an option is missing.
    """
    if not job.process_isolation:
        return Direct()
    wanted = job.process_isolation_executable or "podman"
    if Path(wanted).name not in KNOWN:
        raise ConfigError(
            f"unknown process_isolation_executable `{wanted}`", hint=f"use one of {', '.join(KNOWN)}"
        )
    raise ConfigError(
        f"process isolation by {wanted} is not available on this worker",
        hint="run the job without process_isolation, or on a node whose work type is ansible-runner",
    )
