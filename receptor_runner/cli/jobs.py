"""`receptor-runner jobs`."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from receptor_runner.cli import job_view, output, parameters
from receptor_runner.cli.commands import Command
from receptor_runner.cli.node_options import ConnectionOptions, SocketOptions, destination

if TYPE_CHECKING:
    from receptor_runner.receptor.jobs.prune import Leftover

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
    local: SocketOptions,
    connection: ConnectionOptions,
    json_output: bool,
) -> None:
    """List the jobs that were submitted from DIR, with their last known state."""
    where = destination(connection, local)
    if prune or orphans or force:
        from receptor_runner.receptor.jobs.prune import leftovers
        from receptor_runner.receptor.jobs.prune import orphans as find_orphans

        found = list(leftovers(private_data_dir, where, prune=prune, force=force))
        if orphans:
            with where.local_node() as node:
                found += find_orphans(private_data_dir, where.control(node), prune=prune)
        _show_leftovers(found, json_output=json_output)
    elif watch:
        _watch(private_data_dir, interval, json_output=json_output)
    else:
        _show(private_data_dir, json_output=json_output)


def _show(private_data_dir: Path, *, json_output: bool) -> bool:
    """Show the list; return whether any job is active."""
    from receptor_runner.receptor.jobs.record import read_all

    described = [job_view.describe(record) for record in read_all(private_data_dir)]
    if json_output:
        output.data({"schema": 1, "jobs": described})
    elif described:
        rows = [[str("-" if job[key] is None else job[key]) for key in _COLUMNS] for job in described]
        output.table([list(_COLUMNS), *rows])
    return any(job["active"] for job in described)


def _watch(private_data_dir: Path, interval_s: float, *, json_output: bool) -> None:
    on_terminal = click.get_text_stream("stdout").isatty() and not json_output
    active = True
    while active:
        if on_terminal:
            output.write(_CLEAR)
        active = _show(private_data_dir, json_output=json_output)
        if active:
            time.sleep(interval_s)


def _show_leftovers(found: list[Leftover], *, json_output: bool) -> None:
    if json_output:
        output.data({"schema": 1, "leftovers": [dataclasses.asdict(entry) for entry in found]})
        return
    for entry in found:
        output.line(_leftover_line(entry))


def _leftover_line(entry: Leftover) -> str:
    name = entry.ident or "orphan"
    state = "removed" if entry.removed else "given up" if entry.given_up else "left"
    return f"{name}: {state}: unit {entry.unit_id or '-'} at {entry.socket}: {entry.reason}"
