"""The file that the commands of `mesh` read, and the directory that they write."""

from __future__ import annotations

from pathlib import Path

import click

from receptor_runner.cli import completions

mesh_file = click.argument(
    "file",
    default="mesh.yml",
    type=click.Path(path_type=Path),
    metavar="[FILE]",
    shell_complete=completions.files,
)
"""The description of a mesh."""
