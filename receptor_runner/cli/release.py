"""`receptor-runner release`."""

from __future__ import annotations

from pathlib import Path

import click

from receptor_runner.cli import job_choice, job_view, output, parameters, slices_acts
from receptor_runner.cli.commands import Command
from receptor_runner.cli.node_options import ConnectionOptions, destination

EPILOG = """\b
Example:
  receptor-runner release -i 42
"""


@click.command(cls=Command, epilog=EPILOG)
@job_choice.private_data_dir
@job_choice.ident
@click.option("--force", is_flag=True, help="Release it even if its target node cannot be reached.")
@parameters.takes("connection", ConnectionOptions)
@parameters.as_json
def release(
    private_data_dir: Path | None, ident: str, force: bool, connection: ConnectionOptions, json_output: bool
) -> None:
    """Remove a job's unit from its node; a job that is still running is stopped. Local artifacts stay."""
    from receptor_runner.receptor.jobs import cancel as jobs

    place = job_choice.find(private_data_dir, ident)
    if sliced := job_choice.find_sliced_job(place):
        slices_acts.release(sliced, destination(connection), force=force, json_output=json_output)
        return
    record = jobs.release(place.private_data_dir, place.ident, destination(connection), force=force)
    if json_output:
        output.data(job_view.describe(record))
    else:
        output.line(f"{place.ident}: released")
