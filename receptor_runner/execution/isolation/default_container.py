"""The container of a worker for jobs that do not say where they run."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from receptor_runner.env_files import EnvFiles
from receptor_runner.job import Job

_CHOICES = ("process_isolation", "process_isolation_executable", "container_image")


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultContainer:
    """A worker's own container.

    Args:
        image: the name of the image.
        executable: the container engine, or None for the usual one.
    """

    image: str
    executable: str | None = None

    def for_job(self, job: Job, private_data_dir: Path) -> Job:
        """Return the job as it is to run: in this container unless it, or its env/settings, chooses its isolation.

        Any choice counts: with `process_isolation: false` the job runs on the host.

        Args:
            job: the job.
            private_data_dir: its files.

        Raises:
            ConfigError: its settings cannot be read.
        """
        settings = EnvFiles(root=private_data_dir).settings(job.settings)
        chosen = (getattr(job, name) is not None or settings.get(name) is not None for name in _CHOICES)
        if any(chosen):
            return job
        return dataclasses.replace(
            job,
            process_isolation=True,
            process_isolation_executable=self.executable,
            container_image=self.image,
        )
