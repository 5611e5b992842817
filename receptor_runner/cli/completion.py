"""`receptor-runner completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from receptor_runner.cli import output
from receptor_runner.cli.commands import Command
from receptor_runner.errors import UsageError

EPILOG = """\b
Examples:
  mkdir -p ~/.local/share/bash-completion/completions
  receptor-runner completion bash \\
      > ~/.local/share/bash-completion/completions/receptor-runner
  receptor-runner completion zsh > ~/.zfunc/_receptor-runner
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell."""
    from receptor_runner.cli.program import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"no completion for `{shell}`")
    output.write(kind(cli, {}, "receptor-runner", "_RECEPTOR_RUNNER_COMPLETE").source())
