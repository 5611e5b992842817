"""Running a playbook from a test, as `receptor-runner playbook` runs it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from receptor_runner.errors import RunnerError, UsageError
from receptor_runner.pytest_plugin.nodes import Node, shown_plainly
from receptor_runner.pytest_plugin.results import PlaybookResult, read_result

if TYPE_CHECKING:
    from receptor_runner.ansible_cli.command_line import CommandLine
    from receptor_runner.ansible_cli.plan import Plan
    from receptor_runner.outcome import Outcome
    from receptor_runner.receptor.nodes.destination import Destination

log = logging.getLogger("receptor_runner.pytest")

_STOP_S = 20.0
_UNSAFE = re.compile(r"[^\w.-]+")
_LONGEST_NAME = 80
_NO_COLOR = {"ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true"}
"""Tests search the output for texts, and reports show it."""

Value = str | Path | bool | int | Sequence[str | Path]
"""The value of an option of ansible-playbook."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RunPlaybook:
    """Runs playbooks on a node; the fixture `run_playbook`.

    Attributes:
        node: where playbooks run unless a test says otherwise.
        project: the directory that relative paths start from.
        directory_of_test: returns where the artifacts of the running test go.
        on_result: called with each result.
    """

    node: Node
    project: Path
    directory_of_test: Callable[[], Path]
    on_result: Callable[[PlaybookResult], None]

    def __call__(
        self,
        playbook: str | Path,
        *more: str | Path,
        inventory: str | Path | Sequence[str | Path] | None = None,
        limit: str | None = None,
        tags: str | Sequence[str] | None = None,
        skip_tags: str | Sequence[str] | None = None,
        extra_vars: Mapping[str, object] | None = None,
        check: bool = False,
        diff: bool = False,
        options: Mapping[str, Value] | None = None,
        envvars: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        project: str | Path | None = None,
        on: Node | None = None,
    ) -> PlaybookResult:
        """Run playbooks to their end; return how they ended, whether or not that is well.

        The project travels to the node: the git repository, without what git ignores, or else the directory.

        Args:
            playbook: a playbook, relative to the project directory.
            more: further playbooks.
            inventory: files, directories or host lists such as `"web1,web2,"`; by default that of ansible.cfg.
            limit: a host pattern.
            tags, skip_tags: only the tasks with these tags; not those with these.
            extra_vars: variables that override all others.
            check, diff: predict changes instead of making them; show the changes in files.
            options: further options of ansible-playbook by their long names, with `_` for `-`, such as
                `{"become": True, "vault_password_file": "vault.txt", "verbose": 2}`.
            envvars: variables for ansible-playbook. The node itself has the environment that pytest started with.
            timeout_s: seconds after which the job is stopped; its status is then `timeout`.
            project: the project directory for this call.
            on: another node, such as a worker of `receptor_mesh`.

        Raises:
            RunnerError: the job cannot be started, such as MissingInput for a playbook that does not exist.

        Source: options mean what they mean to ansible-playbook.
        """
        __tracebackhide__ = True
        texts = {"inventory": inventory, "limit": limit, "tags": tags, "skip_tags": skip_tags}
        given: dict[str, Any] = {name: _texts(value) for name, value in texts.items()}
        given |= {"extra_vars": [json.dumps(dict(extra_vars), default=str)] if extra_vars else []}
        given |= {"check": check, "diff": diff}
        job = {"envvars": dict(envvars or {}), "timeout": timeout_s}
        return self._run((playbook, *more), given, options or {}, job, self.project / (project or ""), on)

    def _run(
        self,
        playbooks: tuple[str | Path, ...],
        given: Mapping[str, Any],
        options: Mapping[str, Value],
        job: Mapping[str, Any],
        project: Path,
        on: Node | None,
    ) -> PlaybookResult:
        __tracebackhide__ = True
        try:
            command = _command_line(playbooks, given, options)
            result = self._result(command, job, project, on or self.node)
        except RunnerError as error:
            raise shown_plainly(error) from None
        self.on_result(result)
        return result

    def _result(
        self, command: CommandLine, job: Mapping[str, Any], project: Path, node: Node
    ) -> PlaybookResult:
        from receptor_runner.ansible_cli.plan import make_plan
        from receptor_runner.receptor.nodes.destination import Destination

        plan = make_plan(command, project, os.environ, _Nobody())
        plan = dataclasses.replace(plan, job=_with_options(plan, job))
        directory = self.directory_of_test()
        ident = _free_ident(directory, Path(command.arguments[0]).stem)
        # The store saves uploads to a worker far away; a test should neither depend on it nor fill it.
        destination = Destination(socket=str(node.socket), node=node.target, config=node.config, store=False)
        outcome = _run_job(plan, directory, ident, destination)
        return read_result(" ".join(command.arguments), outcome, directory / "artifacts" / ident)

    def __repr__(self) -> str:
        return f"<run_playbook on {self.node.name}>"


class _Nobody:
    """The person at the terminal, in a test."""

    def ask(self, prompt: str, /) -> str:
        raise UsageError(
            f"nobody answers `{prompt.strip()}` in a test",
            hint='options={"vault_password_file": FILE}, options={"become_password_file": FILE}, or extra_vars',
        )

    ask_openly = ask

    def note(self, text: str, /) -> None:
        log.warning("%s", text)


def _command_line(
    playbooks: tuple[str | Path, ...], given: Mapping[str, Any], options: Mapping[str, Value]
) -> CommandLine:
    from receptor_runner.ansible_cli.command_line import CommandLine, read_given
    from receptor_runner.ansible_cli.options import PLAYBOOK_OPTIONS, Meaning
    from receptor_runner.ansible_cli.plan import PLAYBOOK

    known = {option.key: option for option in PLAYBOOK_OPTIONS}
    values = dict(given)
    for key, value in options.items():
        if key not in known:
            raise UsageError(f"ansible-playbook has no option `{key}`", hint="ansible-playbook --help")
        takes_text = known[key].meaning.takes_value
        values[key] = [*values.get(key, ()), *_texts(value)] if takes_text else value
        if known[key].meaning is Meaning.COUNT:
            values[key] = int(value) if isinstance(value, (bool, int)) else 0
    return CommandLine(
        program=PLAYBOOK,
        given=tuple(read_given(PLAYBOOK_OPTIONS, values)),
        arguments=tuple(map(str, playbooks)),
    )


def _texts(value: Value | None) -> list[str]:
    if value is None:
        return []
    if isinstance(value, (str, Path, int)):
        return [str(value)]
    return [str(entry) for entry in value]


def _with_options(plan: Plan, job: Mapping[str, Any]) -> Any:
    envvars = {**_NO_COLOR, **(plan.job.envvars or {}), **job["envvars"]}
    return dataclasses.replace(plan.job, envvars=envvars, timeout=job["timeout"])


def _free_ident(directory: Path, name: str) -> str:
    """Return an ident that no job of the test has: the name of the playbook, with a number from the second run on."""
    base = safe_name(name) or "playbook"
    taken = directory / "artifacts"
    number = 1
    while (taken / (ident := base if number == 1 else f"{base}-{number}")).exists():
        number += 1
    return ident


def safe_name(text: str) -> str:
    """Return a text as the name of a file."""
    return _UNSAFE.sub("-", text).strip("-.")[-_LONGEST_NAME:]


def _run_job(plan: Plan, directory: Path, ident: str, destination: Destination) -> Outcome:
    """Submit a job and follow it to its end; whatever interrupts that also stops the job."""
    from receptor_runner.ansible_cli.shipment import pack_plan
    from receptor_runner.receptor.jobs.follow import Following, follow
    from receptor_runner.receptor.jobs.submit import start

    with destination.local_node() as local:
        level = destination.level(local)
        shipment = pack_plan(plan, ident, lambda line: log.warning("%s", line), level)
        with contextlib.closing(shipment):
            for warning in shipment.warnings():
                log.warning("%s", warning)
            start(shipment, directory, destination, local, is_listed=False)
    try:
        return follow(directory, ident, destination, Following())
    except BaseException:  # not only Ctrl-C: the timeouts of pytest plugins are no Exception either
        _stop_job(directory, ident, destination)
        raise


def _stop_job(directory: Path, ident: str, destination: Destination) -> None:
    """Cancel a job and wait for its end, so that it is not in the way of the next test."""
    from receptor_runner.receptor.jobs.follow import Following, follow
    from receptor_runner.receptor.jobs.follow_policy import FollowPolicy

    following = Following(policy=FollowPolicy(wait_timeout_s=_STOP_S))
    following.cancel.request()
    with contextlib.suppress(RunnerError):
        follow(directory, ident, destination, following)
