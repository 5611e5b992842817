"""The options of every command, before or behind its name: color, log lines, versions, and the whole help page.

What they act on is imported when one of them is given: help and mistakes cost no more than the parser.
"""

from __future__ import annotations

import click
from click.core import ParameterSource

from receptor_runner.cli import LOG_FORMAT_VARIABLE, help_page

_CHOSEN_LOGS = f"{__name__}.logs"


def parameters() -> list[click.Parameter]:
    """Return the options, in the order of the help page."""
    return [_color(), *_logs(), _version(), help_page.help_all()]


def start_logging(context: click.Context) -> None:
    """Send log lines where the options given so far say; for the group of all commands, before it calls one."""
    from receptor_runner.cli import logs

    logs.start_logging(context.meta.get(_CHOSEN_LOGS) or logs.LogOptions())


def _overrides(context: click.Context, parameter: click.Parameter) -> bool:
    """Return whether a value counts for an option that stands before or behind the command's name.

    The command line counts, wherever it is, before what a variable or a file says for the other place.
    """
    given: set[str] = context.meta.setdefault(f"{__name__}.given", set())
    name = str(parameter.name)
    if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
        given.add(name)
        return True
    return name not in given and context.get_parameter_source(name) is not ParameterSource.DEFAULT


def _color() -> click.Parameter:
    return click.Option(
        ["--color"],
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        show_default=True,
        expose_value=False,
        callback=_take_color,
        help="Color on stdout and stderr.",
    )


def _take_color(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value and not context.resilient_parsing and _overrides(context, parameter):
        from receptor_runner.cli import color

        color.choose(color.When(value))


def _logs() -> list[click.Parameter]:
    return [
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            callback=_take_logs,
            help="Log every step to stderr; show tracebacks.",
        ),
        click.Option(
            ["--logfile"],
            expose_value=False,
            callback=_take_logs,
            metavar="FILE",
            help="Log to this file instead of stderr.",
        ),
        click.Option(
            ["--log-format"],
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            envvar=LOG_FORMAT_VARIABLE,
            show_envvar=True,
            expose_value=False,
            callback=_take_logs,
            help="Log lines as text or as JSON objects.",
        ),
    ]


def _take_logs(context: click.Context, parameter: click.Parameter, value: object) -> None:
    """Apply one of the options, on top of those given so far before or behind the command's name."""
    if value and parameter.name and not context.resilient_parsing and _overrides(context, parameter):
        from dataclasses import replace

        from receptor_runner.cli import logs

        options = context.meta.get(_CHOSEN_LOGS) or logs.LogOptions()
        context.meta[_CHOSEN_LOGS] = replace(options, **{parameter.name: value})
        start_logging(context)


def _version() -> click.Parameter:
    return click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_print_versions,
        help="Print the versions of receptor-runner, ansible-core and receptorctl.",
    )


def _print_versions(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from receptor_runner.cli.versions import print_versions

        context.exit(print_versions())
