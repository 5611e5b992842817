"""`receptor-runner mesh`: one file for each of its commands."""

from __future__ import annotations

import click

from receptor_runner.cli.commands import LazyGroup

COMMANDS = {
    "init": "Write a mesh.yml to start from",
    "check": "Check a mesh.yml",
    "render": "Write each node's files: configs, certificates, units",
    "install": "Install the nodes on their hosts, with Ansible",
    "status": "Show when certificates end, and which nodes are reached",
    "graph": "Draw the mesh",
    "up": "Start a mesh on this machine and wait until jobs can be sent",
    "down": "Stop the mesh on this machine and remove it",
}

EPILOG = """\b
Examples:
  receptor-runner mesh init --workers 2
  receptor-runner mesh check
  receptor-runner mesh render -o out/
  receptor-runner mesh up
  receptor-runner mesh install --receptor-package receptor
"""


@click.group(cls=LazyGroup, commands=COMMANDS, package=__name__, epilog=EPILOG)
def mesh() -> None:
    """Set up a whole mesh from one description, mesh.yml."""
