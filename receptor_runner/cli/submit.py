"""`receptor-runner submit`."""

from __future__ import annotations

from pathlib import Path

import click

from receptor_runner.cli import early_checks, job_view, output, parameters
from receptor_runner.cli.commands import Command
from receptor_runner.cli.job_options import JobOptions, json_mode, rerun
from receptor_runner.cli.live.display import JobDisplay
from receptor_runner.cli.node_options import (
    ConnectionOptions,
    JobTargetOptions,
    SocketOptions,
    TlsOptions,
    destination,
    open_local_node,
)
from receptor_runner.cli.output_options import OutputFormat
from receptor_runner.cli.submitting import interruptible, submit_job

EPILOG = """\b
Examples:
  receptor-runner submit ./demo -p site.yml -i 42
  receptor-runner attach ./demo -i 42
"""


@click.command(cls=Command, epilog=EPILOG)
@parameters.private_data_dir
@parameters.takes("job", JobOptions)
@parameters.takes("local", SocketOptions)
@parameters.takes("target", JobTargetOptions)
@parameters.takes("tls", TlsOptions)
@parameters.takes("connection", ConnectionOptions)
@json_mode
@rerun
@parameters.as_json
def submit(
    private_data_dir: Path,
    job: JobOptions,
    local: SocketOptions,
    target: JobTargetOptions,
    tls: TlsOptions,
    connection: ConnectionOptions,
    json_mode: bool,
    rerun: bool,
    json_output: bool,
) -> None:
    """Start the job in DIR through Receptor and return at once."""
    wanted = job.job(json_mode=json_mode)
    early_checks.check_job(wanted, private_data_dir)
    with JobDisplay(OutputFormat.TEXT) as display, interruptible(private_data_dir, str(wanted.ident)):
        with open_local_node(local, tls, target) as node:
            record = submit_job(
                private_data_dir,
                wanted,
                destination(connection, local, tls, target),
                node,
                display,
                include_artifacts=job.include_artifacts,
                rerun=rerun,
            )
        if json_output:
            output.data(job_view.describe(record))
        else:
            output.line(f"{record.ident} {record.node} {record.unit_id}")
