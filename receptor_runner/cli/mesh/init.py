"""`receptor-runner mesh init`."""

from __future__ import annotations

from pathlib import Path

import click

from receptor_runner.cli import messages, output
from receptor_runner.cli.commands import Command
from receptor_runner.cli.mesh.files import mesh_file
from receptor_runner.cli.new_file import write_new

EPILOG = """\b
Examples:
  receptor-runner mesh init
  receptor-runner mesh init --workers 4 --hops 2 prod.yml
  receptor-runner mesh init - | less
"""


@click.command(cls=Command, epilog=EPILOG)
@mesh_file
@click.option(
    "--workers",
    type=click.IntRange(1, 999),
    default=1,
    show_default=True,
    metavar="N",
    help="How many workers to describe.",
)
@click.option(
    "--hops",
    type=click.IntRange(0, 99),
    default=0,
    show_default=True,
    metavar="N",
    help="How many hops to describe; workers are spread over them.",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
def init(file: Path, workers: int, hops: int, force: bool) -> None:
    """Write a commented description of a mesh to FILE (default: mesh.yml; - for stdout).

    It describes one control node and passes `receptor-runner mesh check`; change the addresses to those of your hosts.
    """
    from receptor_runner.mesh.sample import sample_text

    text = sample_text(workers=workers, hops=hops)
    if str(file) == "-":
        output.write(text)
        return
    write_new(file, text, force=force)
    messages.note(f"wrote {file}")
    messages.note(f"next: change its addresses, then `receptor-runner mesh check {file}`")
