"""Which kind of isolation a job wants."""

from __future__ import annotations

from pathlib import Path

from receptor_runner.errors import ConfigError
from receptor_runner.execution.isolation.container_engine import Engine
from receptor_runner.execution.isolation.direct import Direct
from receptor_runner.execution.isolation.engine import Isolation
from receptor_runner.job import Job

DEFAULT_EXECUTABLE = "podman"
KNOWN = ("podman", "docker", "bwrap")


def choose_isolation(job: Job, private_data_dir: Path, artifact_dir: Path, ident: str) -> Isolation:
    """Return the isolation that a job asks for.

    Args:
        job: the job, its options already joined with the settings.
        private_data_dir: its files.
        artifact_dir: where its artifacts go.
        ident: its ident.

    Raises:
        ConfigError: the engine is unknown, or an option cannot be used.
        MissingInput: the engine is not here.
    """
    if not job.process_isolation:
        return Direct()
    executable = job.process_isolation_executable or DEFAULT_EXECUTABLE
    kind = Path(executable).name
    if kind in {"podman", "docker"}:
        from receptor_runner.execution.isolation.container import Container

        return Container(_engine(kind, executable), job, private_data_dir, artifact_dir, ident)
    if kind == "bwrap":
        from receptor_runner.execution.isolation.bwrap import Bwrap

        return Bwrap(executable, job, private_data_dir, artifact_dir)
    raise ConfigError(
        f"unknown process_isolation_executable `{executable}`", hint=f"use one of {', '.join(KNOWN)}"
    )


def _engine(kind: str, executable: str) -> Engine:
    """Return how a container engine is spoken to; most jobs need none, so that none is imported before."""
    if kind == "podman":
        from receptor_runner.execution.isolation.podman import Podman

        return Podman(executable=executable)
    from receptor_runner.execution.isolation.docker import Docker

    return Docker(executable=executable)
