"""The help pages: one screen of what is used most behind --help, everything behind --help-all."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from enum import StrEnum

import click

_MAX_NAMES_WIDTH = 28
_FULL = f"{__name__}.full"
_ANSIBLE_PREFIX = "ansible_"
_FIRST_SENTENCE = re.compile(r".*?\.(?=\s|$)", re.DOTALL)


class Section(StrEnum):
    """The parts of a help page, in order, by their titles."""

    OPTIONS = "Options"
    JOB = "What to run"
    ANSIBLE = "Ansible's options"
    NODE = "Which node"
    FOLLOWING = "How to follow the job"
    FAILURES = "When things fail"
    OUTPUT = "Output"
    COMMON = "Options of every command"


COMMON: dict[Section, str] = {
    Section.JOB: "--playbook --module --args --hosts --inventory --limit --tags --process-isolation --container-image",
    Section.ANSIBLE: "--inventory --limit --extra-vars --tags --module-name --args --check --become "
    "--ask-become-pass --vault-id",
    Section.NODE: "--node --socket --work-type --profile",
    Section.FOLLOWING: "--wait-timeout --cancel-on-interrupt",
    Section.FAILURES: "--rerun --job-timeout",
    Section.OUTPUT: "--output --json --ident --artifacts --list-files",
}
"""The options that stand on the first page, by section."""

RARE: dict[Section, str] = {
    Section.JOB: "--role --roles-path --role-vars --role-skip-facts --binary --skip-tags --forks --cmdline -v "
    "--project-dir "
    "--container-volume-mount --container-option --directory-isolation-base-path "
    "--include-artifacts --omit-env-files --process-isolation-executable "
    "--process-isolation-hide-paths --process-isolation-show-paths --process-isolation-ro-paths",
    Section.NODE: "--nodes-of-type --slices --tls-client --config --work-params --signwork --ttl --no-preflight "
    "--no-store --compression-level --rootcas --key --cert",
    Section.FAILURES: "--rerun-slice --keep --job-idle-timeout --contact-timeout --pending-timeout --node-timeout "
    "--runner-timeout --results-timeout --cancel-timeout --retry-deadline --retry-max-wait",
    Section.OUTPUT: "--quiet --json-mode --artifact-dir --rotate-artifacts --omit-event-data "
    "--only-failed-event-data",
    Section.COMMON: "--color --debug --logfile --log-format --version --help --help-all",
}
"""The options that only --help-all shows, by section. An option that is in neither table is listed under `Options`."""


class HelpPage(click.Command):
    """A command with the two help pages, of which its mistakes name the first."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words behind the name.

        Source: click does not say which command an option without its value is of.
        """
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the command does: its first paragraph, or all of them."""
        text = inspect.cleandoc(self.help or "")
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text if _is_full(ctx) else text.partition("\n\n")[0])

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by section, the texts of all sections below each other."""
        options = [option for option in self.get_params(ctx) if isinstance(option, click.Option)]
        sections = {section: list(_rows(section, options, ctx)) for section in Section}
        names = [len(name) for rows in sections.values() for name, _text in rows]
        width = min(max(names, default=0), _MAX_NAMES_WIDTH)
        for section, rows in sections.items():
            if rows:
                with formatter.section(section):
                    formatter.write_dl([(name.ljust(width), text) for name, text in rows], _MAX_NAMES_WIDTH)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, and where the rest of the options is listed."""
        if self.epilog:
            formatter.write_paragraph()
            formatter.write_text(inspect.cleandoc(self.epilog))
        if not _is_full(ctx):
            formatter.write_paragraph()
            formatter.write_text(f"All options: {ctx.command_path} --help-all")


def _is_full(ctx: click.Context) -> bool:
    return bool(ctx.meta.get(_FULL))


def _rows(section: Section, options: list[click.Option], ctx: click.Context) -> Iterator[tuple[str, str]]:
    """Yield name and help of the options that a section shows on this page."""
    for option in options:
        record = option.get_help_record(ctx)
        if record is None or section_of(option, options) is not section:
            continue
        if _is_full(ctx):
            yield record
        elif is_common(option):
            names, text = _short(record[0]), record[1]
            sentence = _FIRST_SENTENCE.match(text)
            yield names, sentence.group() if sentence else text
    if section is Section.ANSIBLE and not _is_full(ctx) and any(map(_is_ansibles, options)):
        yield "...", f"Every other option of {_program(options)} works too."


def _short(names: str) -> str:
    """Return the names of an option without the second and third long ones."""
    words = names.split(", ")
    if len(words) < 3:
        return names
    _name, _space, metavar = words[-1].partition(" ")
    return ", ".join(words[:2]) + (f" {metavar}" if metavar else "")


def section_of(option: click.Option, options: list[click.Option]) -> Section:
    """Return the section of an option of a command.

    An ident is the name for the artifacts of a new job; for commands on jobs that exist it says which one is meant.
    """
    if _is_ansibles(option):
        return Section.ANSIBLE
    if "--ident" in option.opts and not any("--rerun" in other.opts for other in options):
        return Section.OPTIONS
    for table in (COMMON, RARE):
        for section, flags in table.items():
            if section is not Section.ANSIBLE and not set(option.opts).isdisjoint(flags.split()):
                return section
    return Section.OPTIONS


def is_common(option: click.Option) -> bool:
    """Return whether an option stands on the first page: one of the table, a required one, one of a single command."""
    if _is_ansibles(option):
        return not set(option.opts).isdisjoint(COMMON[Section.ANSIBLE].split())
    rare = {flag for flags in RARE.values() for flag in flags.split()}
    return option.required or set(option.opts).isdisjoint(rare)


def _is_ansibles(option: click.Option) -> bool:
    return bool(option.name and option.name.startswith(_ANSIBLE_PREFIX))


def _program(options: list[click.Option]) -> str:
    """Return which of Ansible's programs the options are of."""
    return "ansible-playbook" if any("--tags" in option.opts for option in options) else "ansible"


def _show_all(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        context.meta[_FULL] = True
        click.echo(context.get_help(), color=context.color)
        context.exit()


def help_all() -> click.Option:
    """Return the option of every command that shows the full page."""
    return click.Option(
        ["--help-all"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_show_all,
        help="Show all options and exit.",
    )
