"""Which kind of isolation a job wants."""

from __future__ import annotations

from pathlib import Path

from receptor_runner.errors import ConfigError
from receptor_runner.execution.isolation.bwrap import Bwrap
from receptor_runner.execution.isolation.container import Container
from receptor_runner.execution.isolation.direct import Direct
from receptor_runner.execution.isolation.docker import Docker
from receptor_runner.execution.isolation.engine import Isolation
from receptor_runner.execution.isolation.podman import Podman
from receptor_runner.job import Job

DEFAULT_EXECUTABLE = "podman"
_CONTAINER_ENGINES: dict[str, type[Podman | Docker]] = {"podman": Podman, "docker": Docker}
KNOWN = (*_CONTAINER_ENGINES, "bwrap")


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
    if kind in _CONTAINER_ENGINES:
        engine = _CONTAINER_ENGINES[kind](executable=executable)
        return Container(engine, job, private_data_dir, artifact_dir, ident)
    if kind == "bwrap":
        return Bwrap(executable, job, private_data_dir, artifact_dir)
    raise ConfigError(
        f"unknown process_isolation_executable `{executable}`", hint=f"use one of {', '.join(KNOWN)}"
    )
