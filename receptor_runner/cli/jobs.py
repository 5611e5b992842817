"""`receptor-runner jobs`."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from receptor_runner.cli import job_view, messages, output, parameters
from receptor_runner.cli.commands import Command
from receptor_runner.cli.node_options import ConnectionOptions, SocketOptions, destination

if TYPE_CHECKING:
    from receptor_runner.receptor.jobs.overview import JobView
    from receptor_runner.receptor.jobs.prune import Prunable
    from receptor_runner.receptor.nodes.destination import Destination

EPILOG = """\b
Examples:
  receptor-runner jobs ./demo
  receptor-runner jobs ./demo --watch
  receptor-runner jobs ./demo --prune --orphans
"""

_COLUMNS = ("ident", "status", "rc", "events", "node", "unit", "created")
_CLEAR = "\x1b[H\x1b[2J"


@click.command(cls=Command, epilog=EPILOG)
@parameters.private_data_dir
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
@click.option("--offline", is_flag=True, help="Show what is recorded; ask no node.")
@parameters.takes("local", SocketOptions)
@parameters.takes("connection", ConnectionOptions)
@parameters.as_json
def jobs(
    private_data_dir: Path,
    watch: bool,
    interval: float,
    prune: bool,
    orphans: bool,
    force: bool,
    offline: bool,
    local: SocketOptions,
    connection: ConnectionOptions,
    json_output: bool,
) -> None:
    """List the jobs that were submitted from DIR, as they stand now.

    The nodes of active jobs are asked, for a few seconds at most.
    """
    where = destination(connection, local)
    if prune or orphans or force:
        found = _find_prunable(private_data_dir, where, orphans=orphans, prune=prune, force=force)
        _show_prunable(found, json_output=json_output)
        return
    where_to_ask = None if offline else where
    if watch:
        _watch(private_data_dir, where_to_ask, interval, json_output=json_output)
    else:
        for note in _notes(private_data_dir, _show(private_data_dir, where_to_ask, json_output=json_output)):
            messages.note(note)


def _find_prunable(
    private_data_dir: Path, where: Destination, *, orphans: bool, prune: bool, force: bool
) -> list[Prunable]:
    from receptor_runner.receptor.jobs.prune import orphaned_units, prunable_jobs
    from receptor_runner.receptor.jobs.record import read_all

    records = list(read_all(private_data_dir))
    found = list(prunable_jobs(private_data_dir, records, where, prune=prune, force=force))
    if orphans:
        with where.local_node() as node:
            found += orphaned_units(records, where.control(node), prune=prune)
    return found


def _show(private_data_dir: Path, where: Destination | None, *, json_output: bool) -> list[JobView]:
    """Show the list, as the nodes report it or, without a destination, as recorded; return what was shown."""
    from receptor_runner.receptor.jobs.overview import JobView, overview
    from receptor_runner.receptor.jobs.record import read_all

    records = list(read_all(private_data_dir))
    if where is None:
        views = [JobView(record=record) for record in records]
    else:
        views = overview(private_data_dir, records, where)
    described = [job_view.describe_view(view) for view in views]
    if json_output:
        output.data({"schema": 1, "jobs": described})
    elif described:
        rows = [[str("-" if job[key] is None else job[key]) for key in _COLUMNS] for job in described]
        output.table([list(_COLUMNS), *rows])
    return views


def _notes(private_data_dir: Path, views: list[JobView]) -> Iterator[str]:
    """Yield what the list does not show: nodes that did not answer, and results that wait to be fetched."""
    for error in sorted({view.node_error for view in views if view.node_error}):
        yield f"warning: shown as recorded: {error}"
    waiting = sum(view.awaits_attach and not view.is_followed for view in views)
    if waiting:
        jobs = "1 job has" if waiting == 1 else f"{waiting} jobs have"
        yield f"{jobs} ended; fetch the results with: receptor-runner attach {private_data_dir} --all"


def _watch(
    private_data_dir: Path, where: Destination | None, interval_s: float, *, json_output: bool
) -> None:
    on_terminal = click.get_text_stream("stdout").isatty() and not json_output
    while True:
        if on_terminal:
            output.write(_CLEAR)
        views = _show(private_data_dir, where, json_output=json_output)
        if not any(view.is_active for view in views):
            break
        time.sleep(interval_s)
    for note in _notes(private_data_dir, views):
        messages.note(note)


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
