"""The man page, made from the commands and options as click knows them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click
from receptor_runner._version import __version__
from receptor_runner.cli.help_page import Section, section_of
from receptor_runner.cli.program import cli

NAME = "receptor-runner"

_ENVIRONMENT = (
    ("RECEPTOR_RUNNER_PROFILE", "The profile of the configuration files; --profile overrides it."),
    ("RECEPTOR_RUNNER_...", "Each setting has a variable of its own; see the options."),
    (
        "RECEPTORCTL_SOCKET, RECEPTORCTL_CONFIG, RECEPTORCTL_TLSCLIENT",
        "receptorctl's own variables; ours override them.",
    ),
    ("NO_COLOR, FORCE_COLOR", "Whether the output has color; --color overrides them."),
)
_FILES = (
    ("./receptor-runner.yml", "Settings and profiles of a project."),
    ("~/.config/receptor-runner/config.yml", "Settings and profiles of the user."),
)
_EXIT_STATUS = (
    (
        "0 to 63, 128 to 255",
        "The job's own return code: 0 success, 2 failed hosts, 4 unreachable hosts, 254 canceled.",
    ),
    ("64", "The call makes no sense."),
    ("65", "The stream is damaged or incomplete."),
    ("66", "An input is missing."),
    ("69", "No node, no mesh, no such node or work type."),
    ("70", "A bug in receptor-runner."),
    ("73", "The ident is taken by another job."),
    ("74", "Writing failed."),
    ("75", "Contact is lost while the job may be running."),
    ("76", "The worker reports an error of its own."),
    ("78", "A configuration cannot be used."),
    ("130, 143", "This client was interrupted or terminated."),
)


def manual() -> str:
    """Return the man page as roff source."""
    context = click.Context(cli, info_name=NAME)
    return "\n".join([*_head(context), *_commands(context), *_tables(), ""])


def _head(context: click.Context) -> Iterator[str]:
    yield f'.TH RECEPTOR-RUNNER 1 "" "{NAME} {__version__}" "User Commands"'
    yield ".SH NAME"
    yield f"{_text(NAME)} \\- run Ansible jobs through a Receptor mesh and bring the results home"
    yield ".SH SYNOPSIS"
    yield f".B {_text(NAME)}"
    yield _text(" ".join(cli.collect_usage_pieces(context)))
    yield ".SH DESCRIPTION"
    yield from _paragraphs(cli.help)
    yield from _epilog(cli.epilog)


def _commands(context: click.Context) -> Iterator[str]:
    yield ".SH COMMANDS"
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command
        yield from _command(command, click.Context(command, parent=context, info_name=name))


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield a command, and the commands below it."""
    usage = " ".join(command.collect_usage_pieces(context))
    yield f".SS {_text(context.command_path)}"
    yield f".B {_text(context.command_path)}"
    yield _text(usage)
    yield from _paragraphs(command.help)
    options = [option for option in command.params if isinstance(option, click.Option) and not option.hidden]
    for section in Section:
        if section is not Section.COMMON:
            yield from _options(section, options, context)
    yield from _epilog(command.epilog)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child
            yield from _command(child, click.Context(child, parent=context, info_name=name))


def _options(section: Section, options: list[click.Option], context: click.Context) -> Iterator[str]:
    records = [
        record
        for option in options
        if section_of(option, options) is section and (record := option.get_help_record(context))
    ]
    if records:
        yield ".PP"
        yield f".I {_text(section)}"
        for names, text in records:
            yield from _entry(names, text)


def _tables() -> Iterator[str]:
    yield ".SH OPTIONS OF EVERY COMMAND"
    context = click.Context(cli, info_name=NAME)
    for option in cli.get_params(context):
        record = option.get_help_record(context)
        if record:
            yield from _entry(*record)
    for title, entries in (("ENVIRONMENT", _ENVIRONMENT), ("FILES", _FILES), ("EXIT STATUS", _EXIT_STATUS)):
        yield f".SH {title}"
        for names, text in entries:
            yield from _entry(names, text)
    yield ".SH SEE ALSO"
    yield ".BR ansible-playbook (1),"
    yield ".BR ansible (1)"


def _entry(names: str, text: str) -> Iterator[str]:
    yield ".TP"
    yield f".B {_text(names)}"
    yield _text(" ".join(text.split()))


def _paragraphs(text: str | None) -> Iterator[str]:
    for paragraph in inspect.cleandoc(text or "").split("\n\n"):
        yield ".PP"
        yield _text(" ".join(paragraph.split()))


def _epilog(text: str | None) -> Iterator[str]:
    """Yield the examples as they are; a backspace marks for click what it must not wrap."""
    lines = [line for line in inspect.cleandoc(text or "").splitlines() if line != "\b"]
    if lines:
        yield from (".PP", ".nf", *(_text(line) for line in lines), ".fi")


def _text(text: str) -> str:
    """Return a text that roff prints as it is: a line must not look like a request, nor a dash like a hyphen."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", escaped)


if __name__ == "__main__":
    print(manual(), end="")
