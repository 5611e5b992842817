"""`receptor-runner jobs`."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from receptor_runner.cli import job_choice, job_list, job_view, messages, output, parameters
from receptor_runner.cli.commands import Command
from receptor_runner.cli.node_options import ConnectionOptions, SocketOptions, destination
from receptor_runner.cli.slices_rows import merged_rows, row_key
from receptor_runner.errors import pasteable

if TYPE_CHECKING:
    from receptor_runner.receptor.jobs.overview import JobView
    from receptor_runner.receptor.jobs.prune import Prunable
    from receptor_runner.receptor.jobs.record import RecordedJob
    from receptor_runner.receptor.nodes.destination import Destination

EPILOG = """\b
Examples:
  receptor-runner jobs
  receptor-runner jobs ./demo --watch
  receptor-runner jobs ./demo --prune --orphans
"""

_DEFAULT_LAST = 20
_CLEAR = "\x1b[H\x1b[2J"


@click.command(cls=Command, epilog=EPILOG)
@job_choice.private_data_dir
@click.option("--watch", is_flag=True, help="Refresh the list until no job is active.")
@click.option(
    "--interval",
    type=parameters.Duration(0.1),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between two refreshes.",
)
@click.option("--prune", is_flag=True, help="Release units that are no longer needed, and list them.")
@click.option(
    "--orphans", is_flag=True, help="List units of the local node that never ran and belong to no job."
)
@click.option(
    "--force", is_flag=True, help="Give up jobs whose node does not answer because it is gone for good."
)
@click.option(
    "--last",
    type=click.IntRange(0),
    metavar="N",
    help="Only the newest N jobs, and those that are active; 0 for all.  [default: 20 without DIR]",
)
@click.option("--slices", is_flag=True, help="List each slice of a sliced job.")
@click.option("--offline", is_flag=True, help="Show what is recorded; ask no node.")
@parameters.takes("local", SocketOptions)
@parameters.takes("connection", ConnectionOptions)
@parameters.as_json
def jobs(
    private_data_dir: Path | None,
    watch: bool,
    interval: float,
    prune: bool,
    orphans: bool,
    force: bool,
    last: int | None,
    slices: bool,
    offline: bool,
    local: SocketOptions,
    connection: ConnectionOptions,
    json_output: bool,
) -> None:
    """List the jobs that were submitted from DIR, or all of yours, as they stand now.

    The nodes of active jobs are asked, for a few seconds at most. FAILED counts hosts.
    """
    where = destination(connection, local)
    if prune or orphans or force:
        found = _find_prunable(private_data_dir, where, orphans=orphans, prune=prune, force=force)
        _show_prunable(found, json_output=json_output)
        return
    listing = _Listing(
        directory=private_data_dir,
        where=None if offline else where,
        newest=_DEFAULT_LAST if last is None and private_data_dir is None and not json_output else last or 0,
        slices=slices,
        json_output=json_output,
    )
    views = listing.watch(interval) if watch else listing.show()
    for note in _notes(private_data_dir, views):
        messages.note(note)


def _find_prunable(
    private_data_dir: Path | None, where: Destination, *, orphans: bool, prune: bool, force: bool
) -> list[Prunable]:
    from receptor_runner.receptor.jobs.prune import orphaned_units, prunable_jobs
    from receptor_runner.receptor.jobs.record import forget_vanished, read_indexed

    jobs = job_choice.recorded(private_data_dir)
    found = list(prunable_jobs(jobs, where, prune=prune, force=force))
    if orphans:
        with where.local_node() as node:
            found += orphaned_units([*jobs, *read_indexed()], where.control(node), prune=prune)
    if prune:
        forget_vanished(private_data_dir)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listing:
    """A list of jobs that can be shown again and again.

    Attributes:
        directory: whose jobs; None for all of the user's.
        where: how nodes are reached; None asks none.
        newest: how many jobs beside the active ones; 0 for all.
        slices: list each slice.
        json_output: print one JSON object each time.
    """

    directory: Path | None
    where: Destination | None
    newest: int
    slices: bool
    json_output: bool

    def show(self) -> list[JobView]:
        """Show the list; return what was shown."""
        from receptor_runner.receptor.jobs.overview import JobView, overview

        jobs = self._chosen(job_choice.recorded(self.directory))
        views = overview(jobs, self.where) if self.where else [JobView(job=job) for job in jobs]
        described = [job_view.describe_view(view) for view in views]
        if not self.slices:
            described = merged_rows(described)
        if self.json_output:
            output.data({"schema": 1, "jobs": described})
        else:
            job_list.show(described)
        return views

    def _chosen(self, jobs: list[RecordedJob]) -> list[RecordedJob]:
        """Return the newest jobs, and the active ones; a sliced job counts once, and is shown whole or not at all."""
        if not self.newest:
            return jobs
        keys = [row_key(job.place.private_data_dir, job.place.ident) for job in jobs]
        newest = list(dict.fromkeys(reversed(keys)))[: self.newest]
        shown = {*newest, *(key for key, job in zip(keys, jobs, strict=True) if job.record.is_active)}
        return [job for key, job in zip(keys, jobs, strict=True) if key in shown]

    def watch(self, interval_s: float) -> list[JobView]:
        """Show the list until no job is active; return what was shown last."""
        on_terminal = sys.stdout.isatty() and not self.json_output
        while True:
            if on_terminal:
                output.write(_CLEAR)
            views = self.show()
            if not any(view.is_active for view in views):
                return views
            time.sleep(interval_s)


def _notes(private_data_dir: Path | None, views: list[JobView]) -> Iterator[str]:
    """Yield what the list does not show: nodes that did not answer, and results that wait to be fetched."""
    for error in sorted({view.node_error for view in views if view.node_error}):
        yield f"warning: shown as recorded: {error}"
    waiting = sum(view.awaits_attach and not view.is_followed for view in views)
    if waiting:
        jobs = "1 job has" if waiting == 1 else f"{waiting} jobs have"
        command = pasteable("receptor-runner", "attach", *filter(None, [private_data_dir]), "--all")
        yield f"{jobs} ended; fetch the results with: {command}"


def _show_prunable(found: list[Prunable], *, json_output: bool) -> None:
    if json_output:
        output.data({"schema": 1, "prunable": [dataclasses.asdict(entry) for entry in found]})
        return
    for entry in found:
        output.line(_prunable_line(entry))


def _prunable_line(entry: Prunable) -> str:
    name = entry.ident or "orphan"
    state = "removed" if entry.removed else "given up" if entry.given_up else "left"
    return f"{name}: {state}: unit {entry.unit_id or '-'} at {entry.socket}: {entry.reason}"
