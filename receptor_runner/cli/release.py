"""`receptor-runner release`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from receptor_runner.cli import mesh, options, show

EPILOG = """\b
Example:
  receptor-runner release ./demo -i 42
"""


@click.command(epilog=EPILOG)
@options.private_data_dir
@mesh.ident_of_job
@click.option("--force", is_flag=True, help="Even if the node it runs on cannot be asked.")
@mesh.reaching
@mesh.as_json
def release(private_data_dir: Path, ident: str, force: bool, json_output: bool, **given: Any) -> None:
    """Remove a job's work unit from its node; a job that still runs is stopped. Local artifacts stay."""
    from receptor_runner.receptor.jobs import cancel as jobs

    record = jobs.release(private_data_dir, ident, mesh.destination(given), force=force)
    if json_output:
        show.data(mesh.describe(record))
    else:
        click.echo(f"{ident}: released")
