"""The whole command line: the group of all commands, and what becomes of click's own exits and errors."""

from __future__ import annotations

import signal
from typing import Any

import click
from click.core import ParameterSource

from receptor_runner.cli.commands import LazyGroup
from receptor_runner.cli.signals import signal_of, stop_at_signals
from receptor_runner.cli.suggestions import nearest
from receptor_runner.errors import ConfigError, Interrupted, UsageError

COMMANDS = {
    "playbook": "Run playbooks as ansible-playbook does, on a node",
    "adhoc": "Run one module on hosts as ansible does, on a node",
    "transmit": "Pack a job into a stream (phase 1)",
    "worker": "Run the job in a stream, send back the results (phase 2)",
    "process": "Turn the results in a stream into artifacts (phase 3)",
    "run": "Run a job through Receptor and wait for its end",
    "submit": "Start a job through Receptor and return at once",
    "attach": "Follow a submitted job until its end",
    "cancel": "Stop a running job",
    "release": "Remove a job's unit from its node",
    "jobs": "List your jobs, or those of a private data directory",
    "metrics": "Print metrics about jobs and certificates for Prometheus",
    "nodes": "List the nodes of the mesh and what they offer",
    "doctor": "Check everything a job needs, and say what to fix",
    "cleanup": "Remove what jobs left behind on a node",
    "node": "Serve an embedded, local-only Receptor node",
    "mesh": "Set up a whole mesh from one file: check, render, start, draw",
    "config": "Render and check receptor.yml files; show the settings",
    "completion": "Print the shell completion script",
}

EPILOG = """\b
Examples:
  receptor-runner playbook -i inventory.ini site.yml
  receptor-runner run ./demo -p site.yml --node exec1
  receptor-runner transmit ./demo -p site.yml | receptor-runner worker |
      receptor-runner process ./demo
"""


@click.group(
    cls=LazyGroup,
    commands=COMMANDS,
    name="receptor-runner",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def cli() -> None:
    """Run Ansible jobs through a Receptor mesh and bring the results home."""


def run(words: list[str]) -> int:
    """Parse a command line and run its command; return the exit code.

    Args:
        words: the words after the program's name.

    Raises:
        UsageError: the words make no sense.
        Interrupted: a signal stopped it.
        RunnerError: what the command raises.
    """
    stop_at_signals()
    try:
        return _exit_code(cli.main(words, prog_name="receptor-runner", standalone_mode=False))
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort as error:
        # click's name for a KeyboardInterrupt
        cause = error.__context__
        number = signal_of(cause) if isinstance(cause, KeyboardInterrupt) else signal.SIGINT
        raise Interrupted("interrupted", signal_number=number) from error
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.message, err=True)
        return UsageError.exit_code
    except click.ClickException as error:
        raise _usage_error(error) from error


def _exit_code(result: Any) -> int:
    return result if isinstance(result, int) else 0


def _usage_error(error: click.ClickException) -> UsageError | ConfigError:
    """Turn click's error, which would exit 2 like a job with failed hosts, into ours."""
    if isinstance(error, click.BadParameter) and (variable := _variable_of(error)):
        setting = str(error.param.opts[-1]).lstrip("-") if error.param else ""
        cause = error.message.rstrip(".")
        return ConfigError(f"{variable}: invalid `{setting}`", cause=cause, hint=f"unset {variable}")
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context else "receptor-runner"
    if isinstance(error, click.NoSuchOption):
        near = nearest(error.option_name, _options_of(context))
        hint = f"did you mean `{command} {near}`?" if near else f"{command} --help-all"
        return UsageError(f"unknown option `{error.option_name}`", hint=hint)
    return UsageError(error.format_message().rstrip("."), hint=f"{command} --help")


def _options_of(context: click.Context | None) -> list[str]:
    """Return the long options of a command."""
    parameters = context.command.get_params(context) if context else []
    options = (option for option in parameters if isinstance(option, click.Option) and not option.hidden)
    names = (name for option in options for name in (*option.opts, *option.secondary_opts))
    return [name for name in names if name.startswith("--")]


def _variable_of(error: click.BadParameter) -> str | None:
    """Return the environment variable that a bad value comes from, or None."""
    if not (error.ctx and error.param and error.param.name):
        return None
    if error.ctx.get_parameter_source(error.param.name) is not ParameterSource.ENVIRONMENT:
        return None
    from receptor_runner.cli.configuration.settings import source_of

    return source_of(error.ctx, error.param.name)
