"""What runs in slices, made from a command line of Ansible's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from receptor_runner.ansible_cli.command_line import CommandLine
from receptor_runner.ansible_cli.configuration import Configuration
from receptor_runner.ansible_cli.options import Meaning
from receptor_runner.ansible_cli.places import Places
from receptor_runner.ansible_cli.plan import ADHOC, Plan
from receptor_runner.ansible_cli.shipment import pack_plan
from receptor_runner.archive.pack import MemoryFile
from receptor_runner.slices.hosts import Question, list_hosts, refuse_dynamic
from receptor_runner.slices.job import SlicedWork
from receptor_runner.slices.slicing import names_localhost
from receptor_runner.transmit import Shipment

_CHOOSING = frozenset({"inventory", "vault_id", "vault_password_file"})
"""The options that Ansible needs to list hosts, by the keys of their table entries."""


def work_of_plan(
    plan: Plan,
    command: CommandLine,
    cwd: Path,
    environment: Mapping[str, str],
    note: Callable[[str], None],
) -> SlicedWork:
    """Return the work of a planned command line.

    Args:
        plan: the plan; files are added to it when it is packed.
        command: the command line.
        cwd: the directory in which it was typed.
        environment: Ansible's environment here.
        note: takes a line for the person.

    Raises:
        UsageError: an inventory is dynamic.
    """
    is_adhoc = command.program == ADHOC
    limit = command.value("limit")
    refuse_dynamic(_inventories(plan, command, cwd, environment))
    question = Question(
        pattern=command.arguments[0] if is_adhoc else "all",
        limit=limit,
        options=tuple(
            word for given in command.given if given.option.key in _CHOOSING for word in given.words()
        ),
        cwd=cwd,
        environment=environment,
        note=note,
    )

    def pack(files: Mapping[str, MemoryFile], _idents: Collection[str], level: int | None) -> Shipment:
        plan.files.update(files)
        return pack_plan(plan, "slices", note, level)

    return SlicedWork(
        title=plan.job.title,
        directory="." if is_adhoc else plan.job.project_dir or "project",
        find_hosts=lambda: list_hosts(question),
        with_localhost=not is_adhoc and names_localhost(limit),
        pack=pack,
    )


def _inventories(
    plan: Plan, command: CommandLine, cwd: Path, environment: Mapping[str, str]
) -> Iterator[Path]:
    """Yield the inventories that are files or directories: those that are named, else the configured ones."""
    named = [given.value or "" for given in command.of(Meaning.INVENTORY)]
    if named:
        yield from (cwd / Path(name).expanduser() for name in named if "," not in name)
    else:
        yield from Configuration(
            plan.project, environment, Places(plan.project, PurePosixPath())
        ).inventories()
