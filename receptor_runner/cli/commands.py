"""What all commands are made of: the options that each one takes, and suggestions for mistyped names."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import click

from receptor_runner.cli import common_options, help_page
from receptor_runner.cli.suggestions import nearest
from receptor_runner.errors import NodeUnavailable, UsageError

if TYPE_CHECKING:
    from typing import Any, NoReturn

ELSEWHERE = {
    "start": "submit",
    "stop": "cancel",
    "is-alive": "jobs",
    "ansible": "adhoc",
    "ansible-playbook": "playbook",
    "status": "nodes",
    "ping": "doctor",
    "lint": "config check",
    "check": "config check",
    "render": "config render",
}
"""Names that people know from ansible-runner, Ansible or receptorctl, and our command that does the same."""

_PLAYBOOK_SUFFIXES = (".yml", ".yaml")


class Command(help_page.HelpPage):
    """A command that takes the common options behind its name, as ansible-runner's do."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.params += common_options.parameters()
        if any(parameter.name == "profile" for parameter in self.params):
            # Only commands that talk to a node have settings; the others do not pay for reading them.
            from receptor_runner.cli.configuration.settings import bind_variables

            bind_variables(self.params)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words behind the name; while a value is being completed, without the option that waits for it.

        Source: click gives up at an option without a value, so that a completion would know no argument, such as DIR.
        """
        waiting = ctx.resilient_parsing and bool(args) and self._takes_value(args[-1])
        return super().parse_args(ctx, args[:-1] if waiting else args)

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command; an error about a node gets a hint that leads to the same node.

        Raises:
            RunnerError: what the command raises.
        """
        try:
            return super().invoke(ctx)
        except NodeUnavailable as error:
            from receptor_runner.cli import node_hints

            raise node_hints.completed(error) from error

    def _takes_value(self, word: str) -> bool:
        options = (option for option in self.params if isinstance(option, click.Option))
        return any(word in option.opts and not option.is_flag and not option.count for option in options)


class Group(help_page.HelpPage, click.Group):
    """A group of such commands that suggests the nearest name for one that it does not have."""

    command_class = Command

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.params += common_options.parameters()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the words name.

        Raises:
            UsageError: there is none.
        """
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            self._refuse(ctx, args[0])
        return super().resolve_command(ctx, args)

    def _refuse(self, ctx: click.Context, name: str) -> NoReturn:
        meant = ELSEWHERE.get(name) if ctx.parent is None else None
        if meant is None and ctx.parent is None and name.endswith(_PLAYBOOK_SUFFIXES):
            meant = f"playbook {name}"
        meant = meant or nearest(name, self.list_commands(ctx))
        hint = f"did you mean `{ctx.command_path} {meant}`?" if meant else f"{ctx.command_path} --help"
        raise UsageError(f"unknown command `{name}`", hint=hint)


class LazyGroup(Group):
    """A group that imports a command's module only when that command is called: each starts fast.

    Args:
        commands: name to one line of help; the module and its command have the same name.
        package: where the modules are.
    """

    def __init__(
        self,
        *arguments: Any,
        commands: dict[str, str],
        package: str = "receptor_runner.cli",
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self._summaries = commands
        self._package = package

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command that the words name."""
        common_options.start_logging(ctx)
        return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order in which they were given."""
        return list(self._summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in self._summaries:
            return None
        command = getattr(importlib.import_module(f"{self._package}.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._summaries.items()))
