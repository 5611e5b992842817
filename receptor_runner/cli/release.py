"""`receptor-runner release`."""

from __future__ import annotations

from pathlib import Path

import click

from receptor_runner.cli import job_view, output, parameters
from receptor_runner.cli.commands import Command
from receptor_runner.cli.node_options import ConnectionOptions, destination

EPILOG = """\b
Example:
  receptor-runner release ./demo -i 42
"""


@click.command(cls=Command, epilog=EPILOG)
@parameters.private_data_dir
@parameters.ident_of_job
@click.option("--force", is_flag=True, help="Release it even if its target node cannot be reached.")
@parameters.takes("connection", ConnectionOptions)
@parameters.as_json
def release(
    private_data_dir: Path, ident: str, force: bool, connection: ConnectionOptions, json_output: bool
) -> None:
    """Remove a job's unit from its node; a job that is still running is stopped. Local artifacts stay."""
    from receptor_runner.receptor.jobs import cancel as jobs

    record = jobs.release(private_data_dir, ident, destination(connection), force=force)
    if json_output:
        output.data(job_view.describe(record))
    else:
        output.line(f"{ident}: released")
