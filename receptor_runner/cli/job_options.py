"""What runs and how: the options that describe a job, and the `Job` they make."""

from __future__ import annotations

import ast
import shlex
from dataclasses import dataclass
from typing import Any

import click

from receptor_runner.cli import completions, early_checks
from receptor_runner.cli.parameters import Duration, is_on_command_line, option
from receptor_runner.errors import UsageError
from receptor_runner.job import Job, check_ident, new_ident


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """The options of a job, those of ansible-runner and a few more."""

    playbook: str | None = option(
        "-p",
        "--playbook",
        envvar="RUNNER_PLAYBOOK",
        shell_complete=completions.playbooks,
        help="The playbook, relative to DIR/project.",
    )
    module: str | None = option("-m", "--module", envvar="RUNNER_MODULE", help="An ad hoc module.")
    module_args: str | None = option("-a", "--args", help="The module's arguments.")
    role: str | None = option("-r", "--role", envvar="RUNNER_ROLE", help="A role in DIR/roles.")
    roles_path: str | None = option(
        "--roles-path", envvar="ANSIBLE_ROLES_PATH", help="More directories of roles, on the worker."
    )
    role_vars: str | None = option("--role-vars", help="Variables of the role: 'k=v k=v'.")
    role_skip_facts: bool = option(
        "--role-skip-facts", is_flag=True, help="Do not gather facts for the role."
    )
    binary: str | None = option(
        "-b", "--binary", envvar="RUNNER_BINARY", help="The command to run instead of Ansible's."
    )
    hosts: str | None = option("--hosts", help="The hosts of the module or role.")
    ident: str | None = option(
        "-i",
        "--ident",
        shell_complete=completions.idents,
        help="The job's name under DIR/artifacts. Default: a new one.",
    )
    inventory: str | None = option(
        "--inventory",
        shell_complete=completions.inventories,
        help="An inventory in DIR, or a host list: 'a,b,'.",
    )
    limit: str | None = option("--limit", help="Limit the hosts further.")
    tags: str | None = option("--tags", help="Run only what has these tags.")
    skip_tags: str | None = option("--skip-tags", help="Skip what has these tags.")
    forks: int | None = option("--forks", type=int, help="How many hosts at once.")
    cmdline: str | None = option("--cmdline", help="More words for Ansible's command line.")
    verbosity: int = option("-v", count=True, help="Ansible's verbosity; repeatable.")
    project_dir: str | None = option(
        "--project-dir",
        shell_complete=completions.directories,
        help="Where playbooks are, instead of DIR/project.",
    )
    artifact_dir: str | None = option(
        "--artifact-dir", help="Where artifacts go on the worker, instead of DIR/artifacts."
    )
    rotate_artifacts: int | None = option(
        "--rotate-artifacts", type=int, metavar="N", help="Keep only the newest N artifact directories."
    )
    omit_event_data: bool = option("--omit-event-data", is_flag=True, help="Send events without their data.")
    only_failed_event_data: bool = option(
        "--only-failed-event-data", is_flag=True, help="Send the data of failed events only."
    )
    suppress_env_files: bool = option(
        "--omit-env-files", is_flag=True, help="Write no env/ files on the worker."
    )
    process_isolation: bool | None = option(
        "--process-isolation/--no-process-isolation",
        default=None,
        help="Run in a container or sandbox, or do not. Default: as the worker is set up, usually on itself.",
    )
    process_isolation_executable: str | None = option(
        "--process-isolation-executable",
        metavar="ENGINE",
        help="podman, docker or bwrap, or a path to one. Default: podman.",
    )
    container_image: str | None = option(
        "--container-image", metavar="IMAGE", help="Its image; needs --process-isolation."
    )
    container_volume_mounts: tuple[str, ...] = option(
        "--container-volume-mount",
        multiple=True,
        metavar="SRC:DST[:OPTS]",
        help="Mount a directory of the worker into the container; repeatable.",
    )
    container_options: tuple[str, ...] = option(
        "--container-option",
        multiple=True,
        metavar="OPTION",
        help="Another option of the container engine: --container-option=--network=host; repeatable.",
    )
    process_isolation_hide_paths: tuple[str, ...] = option(
        "--process-isolation-hide-paths",
        multiple=True,
        metavar="PATH",
        help="With bwrap: a path that the job must not see; repeatable.",
    )
    process_isolation_show_paths: tuple[str, ...] = option(
        "--process-isolation-show-paths",
        multiple=True,
        metavar="PATH",
        help="With bwrap: a path that the job sees and may write; repeatable.",
    )
    process_isolation_ro_paths: tuple[str, ...] = option(
        "--process-isolation-ro-paths",
        multiple=True,
        metavar="PATH",
        help="With bwrap: a path that the job sees read-only; repeatable.",
    )
    directory_isolation_base_path: str | None = option(
        "--directory-isolation-base-path",
        metavar="PATH",
        help="Run in a copy of the project below this directory of the worker.",
    )
    timeout: float | None = option(
        "--job-timeout", type=Duration(), metavar="SECONDS", help="Stop the job after this."
    )
    idle_timeout: float | None = option(
        "--job-idle-timeout", type=Duration(), metavar="SECONDS", help="Stop it after this much silence."
    )
    include_artifacts: bool = option("--include-artifacts", is_flag=True, help="Send DIR/artifacts too.")

    def job(self, *, json_mode: bool = False, quiet: bool = False) -> Job:
        """Return the job, with an ident.

        Args:
            json_mode: the job's stdout artifact holds JSON events.
            quiet: as in ansible-runner.

        Raises:
            UsageError: nothing to run is named, or options contradict each other.
        """
        self._check_role_options()
        target = self._target()
        given = {
            **{name: value for name in _SAME_NAMES if (value := getattr(self, name))},
            **({target: getattr(self, target)} if target else {}),
            **self._hosts(target),
            **self._roles(),
            "process_isolation": self.process_isolation,
            "ident": self._ident(),
            "binary": self.binary,
            "forks": self.forks,
            "rotate_artifacts": self.rotate_artifacts,
            **{name: list(getattr(self, name)) or None for name in _LISTS},
            "settings": {"idle_timeout": self.idle_timeout} if self.idle_timeout else None,
            "json_mode": json_mode or None,
            "quiet": quiet or None,
        }
        job = Job.from_kwargs(given)
        if not job.has_target:
            raise UsageError(
                "nothing to run: give a playbook, a module or a role", hint=f"{_command()} DIR -p site.yml"
            )
        return job

    def _ident(self) -> str:
        if self.ident is None:
            return new_ident()
        early_checks.check_ident(self.ident)
        return check_ident(self.ident)

    def _target(self) -> str | None:
        """Return which of playbook, module and role is meant; the command line overrides the environment.

        Raises:
            UsageError: more than one is.
        """
        named = [name for name in _TARGETS if getattr(self, name)]
        meant = [name for name in named if is_on_command_line(name)] or named
        if len(meant) > 1:
            words = " and ".join(f"--{name}" for name in meant)
            raise UsageError(f"{words} exclude each other", hint=f"{_command()} --help")
        return meant[0] if meant else None

    def _check_role_options(self) -> None:
        alone = [name for name in _ROLE_ONLY if getattr(self, name)]
        if alone and not self.role:
            raise UsageError(f"--{alone[0].replace('_', '-')} needs --role")

    def _hosts(self, target: str | None) -> dict[str, Any]:
        if self.hosts is None:
            if target == "module" and not self.binary and not self.cmdline:
                hint = f"{_command()} DIR -m {self.module} --hosts all"
                raise UsageError("--module needs --hosts", hint=hint)
            return {}
        if target == "role":
            return {"hosts": self.hosts}
        if target == "module" or self.binary:
            return {"host_pattern": self.hosts}
        raise UsageError("--hosts needs --module or --role", hint="use --limit with a playbook")

    def _roles(self) -> dict[str, Any]:
        return {
            "roles_path": [self.roles_path] if self.roles_path else None,
            "role_vars": _role_vars(self.role_vars) if self.role_vars else None,
            "role_skip_facts": self.role_skip_facts or None,
        }


_TARGETS = ("playbook", "module", "role")
_ROLE_ONLY = ("role_vars", "role_skip_facts")
_SAME_NAMES = (
    "module_args",
    "inventory",
    "limit",
    "tags",
    "skip_tags",
    "cmdline",
    "verbosity",
    "project_dir",
    "artifact_dir",
    "omit_event_data",
    "only_failed_event_data",
    "suppress_env_files",
    "process_isolation_executable",
    "container_image",
    "directory_isolation_base_path",
    "timeout",
)
"""Options that mean what the job's fields of the same names do."""

_LISTS = (
    "container_volume_mounts",
    "container_options",
    "process_isolation_hide_paths",
    "process_isolation_show_paths",
    "process_isolation_ro_paths",
)
"""Likewise, for options that may be repeated."""


def _command() -> str:
    return click.get_current_context().command_path


def _role_vars(text: str) -> dict[str, Any]:
    """Read `k=v k=v`; a value that is a Python literal is read as one."""
    variables: dict[str, Any] = {}
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError("--role-vars cannot be split into words", cause=str(error)) from error
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"--role-vars: `{word}` is not k=v")
        try:
            variables[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            variables[key] = value
    return variables


json_mode = click.option(
    "-j", "--json-mode", is_flag=True, help="Write JSON events to the job's stdout artifact."
)

rerun = click.option("--rerun", is_flag=True, help="Replace an ended job of the same ident.")
