"""What `mesh up` and `mesh down` share."""

from __future__ import annotations

from pathlib import Path

import click

from receptor_runner.cli import completions

directory = click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    metavar="DIR",
    shell_complete=completions.directories,
    help="The directory of the mesh, one for each mesh.  [default: mesh/ in your state directory]",
)
