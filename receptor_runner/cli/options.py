"""Options that several commands share, and the job they describe."""

from __future__ import annotations

import ast
import math
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from receptor_runner.errors import UsageError
from receptor_runner.job import Job, check_ident, new_ident

Command = TypeVar("Command", bound=Callable[..., Any])

_TARGETS = ("playbook", "module", "role")
_ROLE_ONLY = ("role_vars", "role_skip_facts")

DIRECTORY = click.Path(file_okay=True, path_type=Path)

private_data_dir = click.argument("private_data_dir", type=DIRECTORY, metavar="DIR")


class Duration(click.FloatRange):
    """A length of time, at least so much; `nan`, with which no comparison ever holds, is none."""

    def __init__(self, least: float = 0) -> None:
        super().__init__(min=least)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


def together(*decorators: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Return one decorator that applies several, the first on top."""

    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


what_to_run = together(
    click.option("-p", "--playbook", envvar="RUNNER_PLAYBOOK", help="The playbook, relative to DIR/project."),
    click.option("-m", "--module", envvar="RUNNER_MODULE", help="An ad-hoc module."),
    click.option("-a", "--args", "module_args", help="The module's arguments."),
    click.option("-r", "--role", envvar="RUNNER_ROLE", help="A role, from DIR/roles."),
    click.option(
        "--roles-path", envvar="ANSIBLE_ROLES_PATH", help="Where else roles are found on the worker."
    ),
    click.option("--role-vars", help="Variables of the role: 'k=v k=v'."),
    click.option("--role-skip-facts", is_flag=True, help="Do not gather facts for the role."),
    click.option("-b", "--binary", envvar="RUNNER_BINARY", help="The command to run instead of Ansible's."),
)

how_to_run = together(
    click.option("--hosts", help="The hosts of the module or role."),
    click.option("-i", "--ident", help="The job's name below DIR/artifacts; a fresh one by default."),
    click.option("--inventory", help="An inventory below DIR, or a list of hosts: 'a,b,'."),
    click.option("--limit", help="Limit the hosts further."),
    click.option("--tags", help="Run only what has these tags."),
    click.option("--skip-tags", help="Leave out what has these tags."),
    click.option("--forks", type=int, help="How many hosts at once."),
    click.option("--cmdline", help="Further words for ansible's command line."),
    click.option("-v", "verbosity", count=True, help="Ansible's verbosity; repeatable."),
    click.option("--project-dir", help="Where playbooks are, instead of DIR/project."),
    click.option("--artifact-dir", help="Where artifacts go on the worker, instead of DIR/artifacts."),
    click.option("--rotate-artifacts", type=int, help="How many artifact directories the worker keeps."),
    click.option("--omit-event-data", is_flag=True, help="Send events without their data."),
    click.option("--only-failed-event-data", is_flag=True, help="Send the data of failed events only."),
    click.option(
        "--omit-env-files", "suppress_env_files", is_flag=True, help="Write no env/ files on the worker."
    ),
    click.option("--container-image", help="The image of an isolated job."),
    click.option("--container-volume-mount", "container_volume_mounts", multiple=True, help="Repeatable."),
    click.option("--container-option", "container_options", multiple=True, help="Repeatable."),
    click.option(
        "--job-timeout", "timeout", type=Duration(), metavar="SECONDS", help="Stop the job after this."
    ),
    click.option(
        "--job-idle-timeout", type=Duration(), metavar="SECONDS", help="Stop it after this silence."
    ),
    click.option("--include-artifacts", is_flag=True, help="Ship DIR/artifacts too."),
)


def read_job(given: dict[str, Any]) -> Job:
    """Return the job that the options of `what_to_run` and `how_to_run` describe, with an ident.

    Raises:
        UsageError: nothing to run is named, or options contradict each other.
    """
    _check_role_options(given)
    given = given | dict.fromkeys(_outdone(given))
    options = {key: value for key, value in given.items() if value not in {None, (), False}}
    options = {key: list(value) if isinstance(value, tuple) else value for key, value in options.items()}
    idle_timeout_s = options.pop("job_idle_timeout", None)
    if idle_timeout_s:
        options["settings"] = {"idle_timeout": idle_timeout_s}
    if options.get("role_vars"):
        options["role_vars"] = _role_vars(options["role_vars"])
    _place_hosts(options)
    if roles_path := options.get("roles_path"):
        options["roles_path"] = [roles_path]
    check_ident(options.setdefault("ident", new_ident()))
    job = Job.from_kwargs(options)
    if not job.has_target:
        raise UsageError(
            "nothing to run: give a playbook, a module or a role", hint=f"{_command()} DIR -p site.yml"
        )
    return job


def _outdone(given: dict[str, Any]) -> list[str]:
    """Return the targets that only the environment names while the command line names one.

    Raises:
        UsageError: there are several that count.
    """
    named = [name for name in _TARGETS if given.get(name)]
    counting = [name for name in named if _is_said(name)] or named
    if len(counting) > 1:
        words = " and ".join(f"--{name}" for name in counting)
        raise UsageError(f"{words} exclude each other", hint=f"{_command()} --help")
    return [name for name in named if name not in counting]


def _check_role_options(given: dict[str, Any]) -> None:
    alone = [name for name in _ROLE_ONLY if given.get(name)]
    if alone and not given.get("role"):
        raise UsageError(f"--{alone[0].replace('_', '-')} goes with --role")


def _command() -> str:
    return click.get_current_context().command_path


def _is_said(name: str) -> bool:
    """Whether an option was given on the command line, not by the environment."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _place_hosts(options: dict[str, Any]) -> None:
    hosts = options.pop("hosts", None)
    if hosts is None:
        return
    if options.get("role"):
        options["hosts"] = hosts
    elif options.get("module") or options.get("binary"):
        options["host_pattern"] = hosts
    else:
        raise UsageError("--hosts goes with --module or --role", hint="use --limit for a playbook")


def _role_vars(text: str) -> dict[str, Any]:
    """Read `k=v k=v`; a value that is a Python literal is read as one."""
    variables: dict[str, Any] = {}
    for word in shlex.split(text):
        key, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"--role-vars: `{word}` is no k=v")
        try:
            variables[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            variables[key] = value
    return variables
