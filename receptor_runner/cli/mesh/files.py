"""The file that the commands of `mesh` read, and the directory that they write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def rendered_directory(text: str) -> Callable[[Any], Any]:
    """Give a command the option for the directory that a mesh is rendered to.

    Args:
        text: the help.
    """
    return click.option(
        "-o",
        "--output",
        "directory",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        shell_complete=completions.directories,
        help=text,
    )
