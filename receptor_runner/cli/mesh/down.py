"""`receptor-runner mesh down`."""

from __future__ import annotations

from pathlib import Path

import click

from receptor_runner.cli import messages
from receptor_runner.cli.commands import Command
from receptor_runner.cli.mesh import local_options

EPILOG = """\b
Examples:
  receptor-runner mesh down
  receptor-runner mesh down --dir /tmp/trial
"""


@click.command(cls=Command, epilog=EPILOG)
@local_options.directory
def down(directory: Path | None) -> None:
    """Stop the mesh that `mesh up` started on this machine, with the jobs it runs, and remove its directory.

    A directory that holds no mesh is left alone.
    """
    from receptor_runner.mesh.local.directory import MeshDirectory, default_directory

    mesh = MeshDirectory(directory or default_directory())
    if mesh.remove():
        messages.note(f"stopped the mesh in {mesh.path}")
    else:
        messages.note(f"no mesh in {mesh.path}")
