"""`receptor-runner cancel`."""

from __future__ import annotations

from pathlib import Path

import click

from receptor_runner.cli import job_view, output, parameters
from receptor_runner.cli.commands import Command
from receptor_runner.cli.node_options import ConnectionOptions, destination

EPILOG = """\b
Example:
  receptor-runner cancel ./demo -i 42
"""


@click.command(cls=Command, epilog=EPILOG)
@parameters.private_data_dir
@parameters.ident_of_job
@parameters.takes("connection", ConnectionOptions)
@parameters.as_json
def cancel(private_data_dir: Path, ident: str, connection: ConnectionOptions, json_output: bool) -> None:
    """Stop a running job. Whoever follows it still receives its remaining output."""
    from receptor_runner.receptor.jobs import cancel as jobs
    from receptor_runner.receptor.jobs.record import RecordFile

    done = jobs.cancel(private_data_dir, ident, destination(connection))
    described = job_view.describe(RecordFile(private_data_dir, ident).require())
    if json_output:
        output.data({**described, "canceled": done is jobs.Cancel.DONE})
    elif done is jobs.Cancel.ENDED:
        output.line(f"{ident}: {done} ({described['status']})")
    else:
        output.line(f"{ident}: {done}")
