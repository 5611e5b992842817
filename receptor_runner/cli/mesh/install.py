"""`receptor-runner mesh install`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from receptor_runner._version import __version__
from receptor_runner.cli import completions, messages
from receptor_runner.cli.commands import Command
from receptor_runner.cli.mesh.files import mesh_file, rendered_directory
from receptor_runner.errors import UsageError

EPILOG = """\b
Examples:
  receptor-runner mesh install --receptor-package receptor -- --check --diff
  receptor-runner mesh install --receptor ./receptor -- -u admin -b -K
  receptor-runner mesh install --receptor ./receptor --package dist/WHEEL.whl
  receptor-runner mesh install prod.yml -o prod/ -- --limit worker2
\b
What follows `--` goes to ansible-playbook, and the exit code is its own.
The page `Installing a mesh` of the documentation lists the variables.
"""

_PASSED = f"{__name__}.passed"


class PassingCommand(Command):
    """A command that takes the options of another program after `--`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what is before `--`, and keep the rest as it is.

        Source: click only stops looking for options at `--`; the first word after it would be our FILE.

        Raises:
            UsageError: an option is unknown.
        """
        end = args.index("--") if "--" in args else len(args)
        ctx.meta[_PASSED] = tuple(args[end + 1 :])
        try:
            return super().parse_args(ctx, args[:end])
        except click.NoSuchOption as fault:
            hint = f"options of ansible-playbook follow `--`: {ctx.command_path} -- {fault.option_name}"
            raise UsageError(f"unknown option `{fault.option_name}`", hint=hint) from fault

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the words of the usage line."""
        return [*super().collect_usage_pieces(ctx), "[-- ANSIBLE-PLAYBOOK OPTIONS]"]


@click.command(cls=PassingCommand, epilog=EPILOG)
@mesh_file
@rendered_directory("Where the files of the nodes are rendered. Default: `out` beside FILE.")
@click.option(
    "--receptor",
    type=click.Path(path_type=Path),
    metavar="PATH",
    shell_complete=completions.files,
    help="The daemon as a file on this machine, copied to /usr/local/bin of every host.",
)
@click.option(
    "--receptor-package",
    metavar="NAME",
    help="The daemon's package, installed with the package manager of every host.",
)
@click.option(
    "--package",
    default=f"receptor-runner=={__version__}",
    show_default=True,
    metavar="SPEC",
    shell_complete=completions.files,
    help="What pip installs on every host; the path of a wheel is copied there first.",
)
@click.pass_context
def install(
    context: click.Context,
    file: Path,
    directory: Path | None,
    receptor: Path | None,
    receptor_package: str | None,
    package: str,
) -> None:
    """Install the nodes of a mesh, described in FILE (default: mesh.yml), on their hosts, over SSH.

    Renders the mesh, then runs ansible-playbook: the daemon, a virtual environment with receptor-runner, each node's
    files and its systemd service. All hosts are checked before any is changed, and then changed one after the other,
    workers first. Run it again to upgrade or to apply changes: it restarts only what has changed, and running jobs are
    left alone. Without --receptor and --receptor-package, the daemon must be on the hosts already.
    """
    from receptor_runner.cli.mesh.render import show_notes
    from receptor_runner.mesh.bundle import default_directory, render_bundle
    from receptor_runner.mesh.install.command import Installation, install_command
    from receptor_runner.mesh.inventory import INVENTORY
    from receptor_runner.mesh.reading import load_mesh

    target = directory or default_directory(file)
    description = load_mesh(file)
    words = install_command(
        Installation(
            inventory=target / INVENTORY,
            receptor=receptor,
            receptor_package=receptor_package,
            package=package,
            options=context.meta[_PASSED],
        )
    )
    rendered = render_bundle(description, target)
    if rendered.written:
        messages.note(f"wrote {len(rendered.written)} files in {target}")
    show_notes(rendered)
    _become(words)


def _become(words: list[str]) -> None:
    """Go on as another program, so that its terminal, signals and exit code are its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(words[0], words)  # noqa: S606 - no shell is wanted
