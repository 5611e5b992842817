"""How commands declare their parameters: groups of options as typed values, and the few that most commands share."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from receptor_runner.cli import output

Command = TypeVar("Command", bound=Callable[..., Any])

_DECLARATION = "click"


class Duration(click.ParamType):
    """A length of time.

    Args:
        least: the shortest one that is accepted.
    """

    name = "seconds"

    def __init__(self, least: float = 0) -> None:
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isnan(number):  # no comparison with it ever holds
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        if number < self._least:
            self.fail(f"{value} is less than {self._least:g}.", param, ctx)
        return number


def option(*flags: str, **settings: Any) -> Any:
    """Declare a field of an options class together with its command line option.

    Args:
        flags: the option's flags, such as "-i", "--ident".
        settings: what `click.option` takes.
    """
    return dataclasses.field(default=_default(settings), metadata={_DECLARATION: (flags, settings)})


def _default(settings: dict[str, Any]) -> Any:
    if "default" in settings:
        return settings["default"]
    if settings.get("is_flag"):
        return False
    if settings.get("count"):
        return 0
    return () if settings.get("multiple") else None


def seconds(flag: str, default: float | None, text: str, variable: str | None = None) -> Any:
    """Declare a field whose option takes seconds.

    Args:
        flag: the option's flag.
        default: seconds, or None for no limit.
        text: the help.
        variable: an environment variable that sets it too.
    """
    return option(
        flag,
        type=Duration(),
        default=default,
        show_default=default is not None,
        envvar=variable,
        metavar="SECONDS",
        help=text,
    )


def options_of(kind: type[Any]) -> Iterator[click.Option]:
    """Yield the options that an options class declares."""
    for field in dataclasses.fields(kind):
        flags, settings = field.metadata[_DECLARATION]
        yield click.Option([*flags, field.name], **settings)


def is_on_command_line(name: str) -> bool:
    """Return whether an option of the current command was given on the command line, not by a variable or a file."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def takes(name: str, kind: type[Any]) -> Callable[[Command], Command]:
    """Give a command all options of an options class; it receives them as one value.

    Args:
        name: the command's parameter that receives the value.
        kind: a dataclass whose fields are made by `option`.
    """
    declared = [(field.name, *field.metadata[_DECLARATION]) for field in dataclasses.fields(kind)]

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def call(**values: Any) -> Any:
            own = {field: values.pop(field) for field, _flags, _settings in declared}
            return command(**{name: kind(**own)}, **values)

        # click collects decorators from the innermost outwards and lists them the other way round.
        for field, flags, settings in reversed(declared):
            click.option(*flags, field, **settings)(call)
        return call  # type: ignore[return-value]  # functools.wraps keeps what callers see

    return decorate


def timeout(default: float, text: str) -> Callable[[Command], Command]:
    """Give a command a `--timeout` of at least a second.

    Args:
        default: the usual one, in seconds.
        text: the help.
    """
    return click.option(
        "--timeout",
        type=Duration(1),
        default=default,
        show_default=True,
        metavar="SECONDS",
        help=text,
    )


def compression_level(default: str) -> dict[str, Any]:
    """Return what an option `--compression-level` is made of.

    Args:
        default: which level is the default, as the end of the help text.
    """
    text = "How hard to compress files and results: 0 not at all, 9 as small as can be."
    return {"type": click.IntRange(0, 9), "metavar": "0-9", "help": f"{text}{default}"}


private_data_dir = click.argument(
    "private_data_dir", type=click.Path(file_okay=True, path_type=Path), metavar="DIR"
)


def _promise_object(_context: click.Context, _parameter: click.Parameter, wanted: bool) -> bool:
    output.promise_object(wanted)
    return wanted


as_json = click.option(
    "--json",
    "json_output",
    is_flag=True,
    is_eager=True,  # before the others, whose values may be refused
    callback=_promise_object,
    help="Print one JSON object instead of text.",
)
