"""`receptor-runner cancel`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from receptor_runner.cli import mesh, options, show

EPILOG = """\b
Example:
  receptor-runner cancel ./demo -i 42
"""


@click.command(epilog=EPILOG)
@options.private_data_dir
@mesh.ident_of_job
@mesh.reaching
@mesh.as_json
def cancel(private_data_dir: Path, ident: str, json_output: bool, **given: Any) -> None:
    """Stop a running job; whoever follows it brings its last words home."""
    from receptor_runner.receptor.jobs import cancel as jobs
    from receptor_runner.receptor.jobs.record import RecordFile

    done = jobs.cancel(private_data_dir, ident, mesh.destination(given))
    described = mesh.describe(RecordFile(private_data_dir, ident).require())
    if json_output:
        show.data({**described, "canceled": done is jobs.Cancel.DONE})
    elif done is jobs.Cancel.ENDED:
        click.echo(f"{ident}: {done} ({described['status']})")
    else:
        click.echo(f"{ident}: {done}")
