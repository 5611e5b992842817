"""`receptor-runner submit`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from receptor_runner.cli import mesh, options, show

EPILOG = """\b
Examples:
  receptor-runner submit ./demo -p site.yml -i 42
  receptor-runner attach ./demo -i 42
"""


@click.command(epilog=EPILOG)
@options.private_data_dir
@options.what_to_run
@options.how_to_run
@mesh.where_to_run
@click.option("--json-mode", is_flag=True, help="The job's stdout artifact holds JSON events.")
@click.option("--rerun", is_flag=True, help="Replace an ended job of the same ident.")
@mesh.as_json
def submit(
    private_data_dir: Path, include_artifacts: bool, rerun: bool, json_output: bool, **given: Any
) -> None:
    """Start the job in DIR through Receptor and return at once."""
    where = mesh.destination(given)
    record = mesh.start_job(private_data_dir, where, given, include_artifacts=include_artifacts, rerun=rerun)
    if json_output:
        show.data(mesh.describe(record))
    else:
        click.echo(f"{record.ident} {record.node} {record.unit_id}")
