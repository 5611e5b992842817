"""Untags and prunes container images, as far as the engine can."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from receptor_runner.cleanup.engine import Engine
from receptor_runner.cleanup.options import Cleanup
from receptor_runner.cleanup.report import Report
from receptor_runner.errors import MissingInput, RunnerError


class ImageCleanup:
    """Untags and prunes container images.

    Args:
        wanted: what to clean up.
        report: collects what happened.
        report_line: called with a line for each step.
    """

    def __init__(self, wanted: Cleanup, report: Report, report_line: Callable[[str], None]) -> None:
        self._wanted = wanted
        self._report = report
        self._report_line = report_line
        self._engine = Engine(executable=wanted.engine)

    def clean(self) -> None:
        """Untag, then prune; failures go into the report."""
        try:
            for image in self._wanted.remove_images:
                self._attempt(partial(self._remove, image))
            self._report_removed()
            if self._wanted.image_prune:
                self._attempt(self._prune)
        except MissingInput as error:
            self._report.engine_failures.append(error)

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except MissingInput:
            raise
        except RunnerError as error:
            self._report.engine_failures.append(error)

    def _remove(self, image: str) -> None:
        for name in self._engine.names(image):
            if self._wanted.dry_run:
                self._report.images += 1
                self._report_line(f"Would remove image name {name}")
            else:
                self._attempt(partial(self._untag, name))

    def _untag(self, name: str) -> None:
        if removed := self._engine.untag(name):
            self._report.images += removed
            self._report_line(f"Removed image name {name}")

    def _report_removed(self) -> None:
        if self._report.images:
            verb = "Would remove" if self._wanted.dry_run else "Removed"
            self._report_line(f"{verb} {self._report.images} image(s)")

    def _prune(self) -> None:
        if self._wanted.dry_run:
            if count := self._engine.nameless():
                self._report_line(f"Would prune {count} image(s)")
            return
        self._report.pruned = self._engine.prune()
        if self._report.pruned:
            self._report_line("Pruned images")
