"""`receptor-runner attach`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from receptor_runner.cli import mesh, options

EPILOG = """\b
Example:
  receptor-runner attach ./demo -i 42
"""


@click.command(epilog=EPILOG)
@options.private_data_dir
@mesh.ident_of_job
@mesh.reaching
@mesh.how_to_follow
@mesh.as_json
def attach(private_data_dir: Path, ident: str, json_output: bool, **given: Any) -> int:
    """Follow a submitted job until its end, from where the local artifacts stop."""
    where = mesh.destination(given)
    following = mesh.JobFollowing(given, where, json_output=json_output)
    following.catch_signals()
    return following.follow(private_data_dir, ident)
