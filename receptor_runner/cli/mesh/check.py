"""`receptor-runner mesh check`."""

from __future__ import annotations

from pathlib import Path

import click

from receptor_runner.cli import parameters
from receptor_runner.cli.commands import Command
from receptor_runner.cli.findings import show_findings
from receptor_runner.cli.mesh.files import mesh_file

EPILOG = """\b
Examples:
  receptor-runner mesh check
  receptor-runner mesh check prod/mesh.yml --json
\b
Exit codes: 66 if the file cannot be read, 78 if there are errors, otherwise 0.
"""


@click.command(cls=Command, epilog=EPILOG)
@mesh_file
@parameters.as_json
def check(file: Path, json_output: bool) -> int:
    """Check a mesh description, FILE (default: mesh.yml): keys, names, links, addresses, work types.

    The receptor.yml of each node is made and checked too, as `receptor-runner config check` does; nothing is written.
    """
    from receptor_runner.mesh.linter import check_file

    return show_findings(check_file(file), json_output=json_output)
