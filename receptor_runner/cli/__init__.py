"""The command line: a skin over the library, and the only place that prints or exits."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from receptor_runner.cli import show
from receptor_runner.errors import Interrupted, OutputFailed, RunnerError, UsageError

COMMANDS = {
    "transmit": "Pack a job into a stream on stdout (phase 1)",
    "worker": "Run the job of a stream on stdin, send the results to stdout (phase 2)",
    "process": "Turn a worker's stream on stdin into artifacts (phase 3)",
    "run": "Run a job through Receptor and wait for its end",
    "submit": "Start a job through Receptor and return at once",
    "attach": "Follow a submitted job until its end",
    "cancel": "Stop a running job",
    "release": "Remove a job's work unit from its node",
    "jobs": "List the jobs of a private data directory",
    "nodes": "List the nodes of the mesh and what they offer",
    "cleanup": "Remove what jobs left behind on a node",
    "node": "Serve an embedded, local-only Receptor node",
    "config": "List, render and check receptor.yml files",
    "completion": "Print the shell completion script",
}

EPILOG = """\b
Examples:
  receptor-runner run ./demo -p site.yml
  receptor-runner transmit ./demo -p site.yml | receptor-runner worker | receptor-runner process ./demo
"""


class LazyGroup(click.Group):
    """Imports a command's module only when that command is wanted, so that each starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of a job's life."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f"receptor_runner.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    name="receptor-runner",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@show.version
@click.option("--debug", is_flag=True, help="Log everything to stderr; show tracebacks.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    envvar="RECEPTOR_RUNNER_LOG_FORMAT",
    show_envvar=True,
    help="How log lines on stderr look.",
)
def cli(debug: bool, log_format: str) -> None:
    """Run Ansible jobs through a Receptor mesh and bring the results home."""
    show.start_logging(debug=debug, log_format=log_format)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after the program's name; by default those of this process.

    Returns:
        The exit code, as in docs/exit-codes.md.
    """
    words = sys.argv[1:] if arguments is None else arguments
    stdout_is_closed = sys.stdout is None
    show.fill_closed_streams()
    try:
        if stdout_is_closed:
            raise OutputFailed("cannot write to stdout", cause="it is closed")
        return _exit_code(cli.main(words, prog_name="receptor-runner", standalone_mode=False))
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        return show.error(Interrupted("interrupted"))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.message, err=True)
        return UsageError.exit_code
    except click.UsageError as error:
        return show.error(_usage_error(error))
    except click.ClickException as error:
        return show.error(UsageError(error.format_message()))
    except BrokenPipeError:
        return show.error(OutputFailed("cannot write to stdout", cause="its reader is gone"))
    except RunnerError as error:
        return show.error(error)
    except Exception as error:
        return show.bug(error)


def _exit_code(result: Any) -> int:
    return result if isinstance(result, int) else 0


def _usage_error(error: click.UsageError) -> UsageError:
    """Turn click's error, which would exit 2 like a job with failed hosts, into ours."""
    command = error.ctx.command_path if error.ctx else "receptor-runner"
    return UsageError(error.format_message().rstrip("."), hint=f"{command} --help")
