"""What `run` returns for a sliced job."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from receptor_runner.errors import MissingInput
from receptor_runner.handlers import runner_config
from receptor_runner.recap import COUNTS, read_stats
from receptor_runner.runner import Runner
from receptor_runner.slices.merging import merged_recap
from receptor_runner.slices.sliced_job import SlicedJob

_POLL_S = 0.1


class SlicedRunner(Runner):
    """A sliced job: its status and return code are those of the worst slice.

    Its artifacts directory holds the index alone; `stdout` and `stderr` are those of the slices.
    """

    @property
    def slices(self) -> list[Runner]:
        """A runner for each slice, in order; none before the slices are planned."""
        directory = Path(self.config.private_data_dir)
        try:
            entries = SlicedJob(directory, str(self.config.ident)).read().slices
        except MissingInput:
            return []
        runners = []
        for entry in entries:
            runner = Runner(runner_config(directory, entry.ident))
            runner.status, runner.rc, runner.explanation = entry.status, entry.rc, entry.explanation
            runners.append(runner)
        return runners

    @property
    def events(self) -> Iterator[dict[str, Any]]:
        """The kept events of all slices, slice by slice; while the job runs its end is awaited."""
        while self._is_active:
            time.sleep(_POLL_S)
        for runner in self.slices:
            yield from runner.events

    @property
    def stats(self) -> dict[str, Any] | None:
        """The numbers of the play recap of all slices: kind to host to count; None where there are none."""
        counts = merged_recap(read_stats(runner.artifact_dir) for runner in self.slices).counts
        if not counts:
            return None
        return {kind: {host: own[kind] for host, own in counts.items() if kind in own} for kind in COUNTS}
