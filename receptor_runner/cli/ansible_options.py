"""The options of ansible-playbook and ansible as options of ours."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from receptor_runner.ansible_cli.command_line import CommandLine, read_given
from receptor_runner.ansible_cli.options import Meaning, Option
from receptor_runner.cli import completions
from receptor_runner.cli.parameters import Command

_PREFIX = "ansible_"
_COMPLETERS = {
    Meaning.INVENTORY: completions.files,
    Meaning.PRIVATE_KEY: completions.files,
    Meaning.PASSWORD_FILE: completions.files,
    Meaning.DIRECTORY: completions.directories,
}


def takes_command_line(
    program: str, table: tuple[Option, ...], metavar: str, *, many: bool
) -> Callable[[Command], Command]:
    """Give a command the options and arguments of one of Ansible's programs, as one `CommandLine`.

    Args:
        program: `ansible-playbook` or `ansible`.
        table: its options.
        metavar: what its arguments are called on the help page.
        many: whether it takes several arguments.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def call(arguments: str | tuple[str, ...], **values: Any) -> Any:
            given = tuple(read_given(table, {key: values.pop(_PREFIX + key) for key in _keys(table)}))
            words = (arguments,) if isinstance(arguments, str) else arguments
            line = CommandLine(program=program, given=given, arguments=words)
            return command(command_line=line, **values)

        for option in reversed(table):
            click.option(*option.names, _PREFIX + option.key, **_settings(option))(call)
        click.argument(
            "arguments",
            nargs=-1 if many else 1,
            required=True,
            metavar=metavar,
            shell_complete=completions.files if many else None,
        )(call)
        return call  # type: ignore[return-value]  # functools.wraps keeps what callers see

    return decorate


def _keys(table: tuple[Option, ...]) -> list[str]:
    return [option.key for option in table]


def _settings(option: Option) -> dict[str, Any]:
    if option.meaning is Meaning.COUNT:
        return {"count": True, "help": option.help}
    if not option.meaning.takes_value:
        return {"is_flag": True, "help": option.help}
    completer = _COMPLETERS.get(option.meaning)
    return {"multiple": True, "metavar": option.metavar, "help": option.help, "shell_complete": completer}
