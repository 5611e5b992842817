"""`receptor-runner mesh graph`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from receptor_runner.cli import completions, messages, output
from receptor_runner.cli.commands import Command
from receptor_runner.cli.mesh.files import mesh_file
from receptor_runner.cli.new_file import write_new

EPILOG = """\b
Examples:
  receptor-runner mesh graph
  receptor-runner mesh graph prod.yml --svg mesh.svg
\b
An arrow points from the node that opens the connection to the one that listens.
"""

_ASCII = str.maketrans({"├": "|", "└": "`", "│": "|", "─": "-", "→": "->", "←": "<-", "…": "~"})


@click.command(cls=Command, epilog=EPILOG)
@mesh_file
@click.option(
    "--svg",
    "image",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    shell_complete=completions.files,
    help="Write an SVG image to this file instead, or to stdout for `-`; needs the extra `svg`.",
)
def graph(file: Path, image: Path | None) -> None:
    """Draw the mesh that FILE describes (default: mesh.yml), from its control nodes outwards."""
    from receptor_runner.mesh.graph import graph_text
    from receptor_runner.mesh.reading import load_mesh

    description = load_mesh(file)
    if image is None:
        # A line that a terminal breaks would break the tree; a file or another program gets all of it.
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        output.write(_encodable(graph_text(description, width=width)))
        return
    from receptor_runner.mesh.drawing import graph_svg

    text = graph_svg(description)
    if str(image) == "-":
        output.write(text)
    else:
        # An image is made again whenever the mesh has changed.
        write_new(image, text, force=True)
        messages.note(f"wrote {image}")


def _encodable(text: str) -> str:
    """Return the drawing in ASCII if the encoding of stdout has no lines and arrows."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return text.translate(_ASCII)
    return text
