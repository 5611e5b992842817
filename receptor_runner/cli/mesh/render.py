"""`receptor-runner mesh render`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from receptor_runner.cli import messages, output, parameters
from receptor_runner.cli.commands import Command
from receptor_runner.cli.mesh.files import mesh_file, rendered_directory
from receptor_runner.errors import UsageError

if TYPE_CHECKING:
    from receptor_runner.mesh.bundle import Rendered

EPILOG = """\b
Examples:
  receptor-runner mesh render
  receptor-runner mesh render prod.yml -o prod/ --days 90
  receptor-runner mesh render --renew 30
\b
Each node's files are in DIR/NODE. DIR/ca holds the key of the certificate
authority; it stays here.
"""


@click.command(cls=Command, epilog=EPILOG)
@mesh_file
@rendered_directory("Where everything goes. Default: `out` beside FILE.")
@click.option(
    "--days",
    type=click.IntRange(1, 36500),
    default=365,
    show_default=True,
    metavar="N",
    help="How long new certificates are valid.",
)
@click.option(
    "--renew",
    type=click.IntRange(0, 36500),
    metavar="N",
    help="Also renew certificates that end within N days.",
)
@parameters.as_json
def render(file: Path, directory: Path | None, days: int, renew: int | None, json_output: bool) -> None:
    """Write the files of every node of a mesh, described in FILE (default: mesh.yml).

    What is there and still good is not touched: run it again after every change of FILE. A certificate is made anew,
    with a new key, if its node's address has changed, if it has ended, or if it ends within the days of --renew.
    """
    from receptor_runner.mesh.bundle import default_directory, render_bundle
    from receptor_runner.mesh.certificates import Validity
    from receptor_runner.mesh.reading import load_mesh

    if renew is not None and renew >= days:
        raise UsageError(
            f"--renew {renew} would renew certificates of {days} days in every run", hint="--days"
        )
    target = directory or default_directory(file)
    validity = Validity(days=days, renew_days=renew)
    rendered = render_bundle(load_mesh(file), target, validity=validity)
    if json_output:
        output.data(_describe(rendered))
    else:
        _print(rendered)


def _describe(rendered: Rendered) -> dict[str, object]:
    return {
        "schema": 1,
        "directory": str(rendered.directory),
        "written": list(rendered.written),
        "removed": list(rendered.removed),
        "issued": [
            {"node": name or None, "reason": reason} for name, reason in sorted(rendered.reasons.items())
        ],
        "leftovers": list(rendered.leftovers),
    }


def _print(rendered: Rendered) -> None:
    for name in rendered.written:
        output.line(f"wrote {rendered.directory / name}")
    for name in rendered.removed:
        output.line(f"removed {rendered.directory / name}")
    show_notes(rendered)
    if not rendered.written and not rendered.removed:
        messages.note(f"nothing to do: {rendered.directory} is up to date")


def show_notes(rendered: Rendered) -> None:
    """Say which certificates were made and why, and which nodes have left the mesh."""
    for reason in dict.fromkeys(rendered.reasons.values()):
        names = [name or "the authority" for name, why in rendered.reasons.items() if why == reason]
        messages.note(f"made certificates ({reason}): {', '.join(names)}")
    for name in rendered.leftovers:
        directory = rendered.directory / name
        messages.note(
            f"warning: node {name} is no longer in the mesh; remove {directory} when its host is gone"
        )
