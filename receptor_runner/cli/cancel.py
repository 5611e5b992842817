"""`receptor-runner cancel`."""

from __future__ import annotations

from pathlib import Path

import click

from receptor_runner.cli import job_choice, job_view, output, parameters, slices_acts
from receptor_runner.cli.commands import Command
from receptor_runner.cli.node_options import ConnectionOptions, destination

EPILOG = """\b
Example:
  receptor-runner cancel -i 42
"""


@click.command(cls=Command, epilog=EPILOG)
@job_choice.private_data_dir
@job_choice.ident
@parameters.takes("connection", ConnectionOptions)
@parameters.as_json
def cancel(
    private_data_dir: Path | None, ident: str, connection: ConnectionOptions, json_output: bool
) -> None:
    """Stop a running job, with all of its slices. Whoever follows it still receives its remaining output."""
    from receptor_runner.receptor.jobs import cancel as jobs
    from receptor_runner.receptor.jobs.record import RecordFile

    place = job_choice.find(private_data_dir, ident)
    if sliced := job_choice.find_sliced_job(place):
        slices_acts.cancel(sliced, destination(connection), json_output=json_output)
        return
    done = jobs.cancel(place.private_data_dir, place.ident, destination(connection))
    described = job_view.describe(RecordFile(place.private_data_dir, place.ident).require())
    if json_output:
        output.data({**described, "canceled": done is jobs.Cancel.DONE})
    elif done is jobs.Cancel.ENDED:
        output.line(f"{place.ident}: {done} ({described['status']})")
    else:
        output.line(f"{place.ident}: {done}")
