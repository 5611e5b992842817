"""The help pages of every command: one screen behind --help, everything behind --help-all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest
from receptor_runner.cli import help_page
from receptor_runner.cli.program import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness import CommandLine

ROWS, COLUMNS = 40, 80


def commands_below(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of a command and of all commands below it."""
    yield words
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child
            yield from commands_below(child, (*words, name))


def find(words: tuple[str, ...]) -> click.Command:
    """Return the command that words name."""
    command: click.Command | None = cli
    for word in words:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    assert command
    return command


EVERY = list(commands_below(cli))


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_the_first_page_fits_a_terminal(command_line: CommandLine, words: tuple[str, ...]) -> None:
    """--help is at most 40 lines of at most 80 columns, and names the page that has the rest."""
    done = command_line.ours(*words, "--help")
    assert done.rc == 0
    lines = done.text.splitlines()
    assert len(lines) <= ROWS
    assert [line for line in lines if len(line) > COLUMNS] == []
    assert lines[-2 if not lines[-1] else -1].endswith(" ".join(["receptor-runner", *words, "--help-all"]))


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_the_full_page_has_every_option(command_line: CommandLine, words: tuple[str, ...]) -> None:
    """--help-all has every spelling of every option, in 80 columns too."""
    done = command_line.ours(*words, "--help-all")
    assert done.rc == 0
    assert [line for line in done.text.splitlines() if len(line) > COLUMNS] == []
    shown = done.text.replace(",", " ").split()
    for parameter in find(words).params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert [name for name in (*parameter.opts, *parameter.secondary_opts) if name not in shown] == []


def test_the_tables_name_options_that_exist() -> None:
    """No option is listed in the tables that no command has, nor twice."""
    found = {
        name
        for words in EVERY
        for parameter in find(words).params
        if isinstance(parameter, click.Option)
        for name in parameter.opts
    }
    for table in (help_page.COMMON, help_page.RARE):
        assert {flag for flags in table.values() for flag in flags.split()} - found <= {"--help"}
    common, rare = (
        [flag for section, flags in table.items() if section != "Ansible's options" for flag in flags.split()]
        for table in (help_page.COMMON, help_page.RARE)
    )
    assert len({*common, *rare}) == len(common) + len(rare)


def test_options_are_grouped(command_line: CommandLine) -> None:
    """The page of `run` says what to run, where, how to follow, and what to do when things fail, in this order."""
    titles = [line for line in command_line.ours("run", "--help").text.splitlines() if line.endswith(":")]
    assert titles == [
        "What to run:", "Which node:", "How to follow the job:", "When things fail:", "Output:", "Examples:",
    ]  # fmt: skip
