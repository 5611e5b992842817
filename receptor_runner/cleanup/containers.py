"""Removes the containers of dead jobs: they outlive a worker that is killed together with its guardian."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from receptor_runner.cleanup.engine import Engine, JobContainer
from receptor_runner.cleanup.options import Cleanup
from receptor_runner.cleanup.report import Report
from receptor_runner.errors import RunnerError

log = logging.getLogger("receptor_runner.cleanup")


class ContainerCleanup:
    """Removes containers of jobs whose private data directory goes, or is gone.

    A container is known by its label. Without the engine there are none.

    Args:
        wanted: what to clean up.
        report: collects what happened.
        report_line: called with a line for each container.
    """

    def __init__(self, wanted: Cleanup, report: Report, report_line: Callable[[str], None]) -> None:
        self._wanted = wanted
        self._report = report
        self._report_line = report_line
        self._engine = Engine(executable=wanted.engine)

    @cached_property
    def _containers(self) -> list[JobContainer]:
        try:
            return self._engine.job_containers() if self._engine.is_installed else []
        except RunnerError as error:
            # No failure of the clean-up: an engine that does not work has no containers of jobs either.
            log.warning("containers of dead jobs are not looked for: %s", error)
            return []

    def remove_of(self, directory: Path) -> None:
        """Remove the containers of a job that is dead, whatever state they are in; failures go into the report.

        Args:
            directory: the resolved private data directory of the job.
        """
        for container in list(self._containers):
            if container.directory.resolve() == directory:
                self._remove(container)

    def remove_gone(self) -> None:
        """Remove the containers of jobs whose private data directory is gone; failures go into the report.

        Those in which something runs stay: a worker in another mount namespace may have the directory.
        """
        for container in list(self._containers):
            if container.is_over and not container.directory.exists():
                self._remove(container)

    def _remove(self, container: JobContainer) -> None:
        self._containers.remove(container)
        try:
            if not self._wanted.dry_run:
                self._engine.remove_container(container.name)
        except RunnerError as error:
            self._report.engine_failures.append(error)
            return
        self._report.containers.append(container.name)
        self._report_line(
            f"{'Would remove' if self._wanted.dry_run else 'Removed'} container {container.name}"
        )
