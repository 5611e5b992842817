"""`receptor-runner node`."""

from __future__ import annotations

from pathlib import Path

import click

from receptor_runner.cli import logs, messages
from receptor_runner.cli.commands import Command

EPILOG = """\b
Examples:
  receptor-runner config render local -o receptor.yml
  receptor-runner node --config receptor.yml
  receptorctl --socket ./control.sock status
"""


@click.command(cls=Command, epilog=EPILOG)
@click.option(
    "-c", "--config", required=True, type=click.Path(path_type=Path), help="A receptor.yml of the v1 form."
)
def node(config: Path) -> None:
    """Serve an embedded, local-only Receptor node until SIGTERM.

    It speaks Receptor's control protocol, so that receptorctl works with it. For a mesh, run Receptor itself.
    """
    from receptor_runner.node.configuration import read_settings
    from receptor_runner.node.serve import serve

    settings = read_settings(config)
    logs.set_log_level(settings.log_level)
    serve(settings, ready=lambda: messages.note(f"node `{settings.node_id}` serves"))
