"""`receptor-runner config show`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import click

from receptor_runner.cli import output, parameters
from receptor_runner.cli.commands import Command
from receptor_runner.cli.configuration.settings import Shown, key_of, shown
from receptor_runner.cli.follow_options import FollowOptions
from receptor_runner.cli.job_options import JobOptions
from receptor_runner.cli.node_options import ConnectionOptions, JobTargetOptions, SocketOptions, TlsOptions
from receptor_runner.cli.output_options import OutputOptions

EPILOG = """\b
Examples:
  receptor-runner config show --sources
  receptor-runner config show --profile prod --json
"""


def _hidden_settings() -> Iterator[click.Option]:
    """Yield every setting as an option that is not listed: what it would be in a command that has it."""
    kinds = (
        SocketOptions,
        JobTargetOptions,
        TlsOptions,
        ConnectionOptions,
        JobOptions,
        FollowOptions,
        OutputOptions,
    )
    for kind in kinds:
        for option in parameters.options_of(kind):
            if option.name == "profile":
                yield option
            elif key_of(option):
                option.hidden = True
                option.expose_value = True
                yield option


@click.command(
    cls=Command,
    params=list(_hidden_settings()),
    short_help="Show the settings of receptor-runner.",
    epilog=EPILOG,
)
@click.option("--sources", is_flag=True, help="Show where each value comes from.")
@parameters.as_json
@click.pass_context
def show(context: click.Context, /, sources: bool, json_output: bool, **_settings: object) -> None:
    """Show the settings of receptor-runner, as options, environment and configuration files make them.

    An option of the command line overrides its environment variable, that one ./receptor-runner.yml, that one
    ~/.config/receptor-runner/config.yml. In the files, the settings of the profile override the others.
    """
    found = list(shown(context))
    if json_output:
        output.data({"schema": 1, "settings": [dataclasses.asdict(setting) for setting in found]})
        return
    rows = [["setting", "value", *(["source"] if sources else [])]]
    rows += [[setting.key, _text(setting), *([setting.source] if sources else [])] for setting in found]
    output.table(rows)


def _text(setting: Shown) -> str:
    value = setting.value
    if value is None or value == ():
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
