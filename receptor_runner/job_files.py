"""Job options that Ansible reads from files: roles and plays given as data, and inventories.

Both `transmit` and the worker translate them by these rules: `transmit` adds the files to the archive, and the worker
writes them for options that reach it untranslated (`only_transmit_kwargs`). Nothing here writes to disk.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

from receptor_runner.job import Job

PLAYBOOK_NAME = "main.json"
_FILE_SUFFIXES = frozenset({".cfg", ".ini", ".json", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml"})
_ROLE_OPTIONS = ("role", "role_vars", "role_skip_facts", "hosts", "host_pattern", "roles_path")
_IMPLICIT_LOCALHOST = 'ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"'


class JobFile(NamedTuple):
    """A file that a job needs.

    Attributes:
        name: its path, relative to the private data dir.
        content: its text.
    """

    name: str
    content: str


class InventorySource(NamedTuple):
    """One inventory of a job; at most one of `path` and `content` is set.

    Attributes:
        given: the inventory as the job names it; empty for a mapping.
        path: the path of an existing inventory, relative to the private data dir.
        content: the text of an inventory that exists in the job only.
        is_host_list: `given` is a list of hosts, which `-i` accepts as it is.
    """

    given: str = ""
    path: str | None = None
    content: str | None = None
    is_host_list: bool = False


def role_as_play(job: Job, roles: str) -> Job:
    """Return a job that runs a play with the role; other jobs are returned without the options of a role.

    The role is searched in `roles`, then in `roles_path`, then in the job's own `ANSIBLE_ROLES_PATH`.

    Args:
        job: any job.
        roles: the `roles/` of the private data dir; `.` on the wire, where the worker joins each entry to its own.
    """
    if job.role is None:
        return dataclasses.replace(job, role_vars=None, role_skip_facts=None)
    role: dict[str, Any] = {"name": job.role} | ({"vars": job.role_vars} if job.role_vars else {})
    play: dict[str, Any] = {"hosts": job.hosts or job.host_pattern or "all", "roles": [role]}
    if job.role_skip_facts is not None:
        play["gather_facts"] = not job.role_skip_facts
    envvars = {**(job.envvars or {}), "ANSIBLE_ROLES_PATH": _roles_path(job, roles)}
    cleared: dict[str, Any] = dict.fromkeys(_ROLE_OPTIONS)
    return dataclasses.replace(job, playbook=[play], envvars=envvars, **cleared)


def _roles_path(job: Job, roles: str) -> str:
    given = [job.roles_path] if isinstance(job.roles_path, str) else job.roles_path or []
    own = (job.envvars or {}).get("ANSIBLE_ROLES_PATH")
    return ":".join([roles, *given, *([] if own is None else [str(own)])])


def playbook_file(job: Job, private_data_dir: Path) -> JobFile | None:
    """Return the file of a playbook that is given as data, or None.

    It belongs into the project directory, where Ansible starts and looks for roles, files and ansible.cfg.
    """
    if not isinstance(job.playbook, dict | list):
        return None
    plays = [job.playbook] if isinstance(job.playbook, dict) else job.playbook
    name = os.path.normpath(f"{project_directory(job, private_data_dir)}/{PLAYBOOK_NAME}")
    if "/" not in name:  # beside files of a repository, which may have one of that name
        name = _free_name(private_data_dir, name)
    return JobFile(name=name, content=json.dumps(plays))


def project_directory(job: Job, private_data_dir: Path) -> str:
    """Return the directory, relative to the private data dir, in which the worker starts Ansible.

    A flat repository, which has no `project/`, is its own project: a `project/` that we added would hide the
    ansible.cfg and the inventory beside it. A project directory outside of the private data dir is not ours to write
    to; `project/` takes its place.
    """
    if job.project_dir:
        return relative_to(job.project_dir, private_data_dir) or "project"
    return "project" if (private_data_dir / "project").is_dir() else "."


def _free_name(directory: Path, name: str) -> str:
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a name, not a path
    numbered = (f"{stem}_{number}{suffix}" for number in count(1))
    return next(free for free in chain([name], numbered) if not (directory / free).exists())


def relative_to(path: str, base: Path) -> str | None:
    """Return a path relative to `base`, or None if it leads elsewhere; relative paths start at `base`."""
    absolute = Path(os.path.normpath(base / path))
    return str(absolute.relative_to(base)) if absolute.is_relative_to(base) else None


def inventory_sources(
    inventory: str | list[str] | dict[str, Any] | None, private_data_dir: Path
) -> list[InventorySource]:
    """Return the inventories that a job names, in order; a mapping is one of them."""
    if isinstance(inventory, dict):
        return [InventorySource(content=json.dumps(inventory))]
    named = [inventory] if isinstance(inventory, str) else inventory or []
    return [_source(given, private_data_dir) for given in named if given]


def inventory_files(sources: list[InventorySource]) -> Iterator[JobFile | None]:
    """Yield for each source the file to write for it, or None if it has no content.

    Source: the names are those of ansible-runner 2.4.3, which knows only one text for each job.
    """
    number = 0
    for source in sources:
        if source.content is None:
            yield None
        elif not source.given:
            yield JobFile(name="inventory/hosts.json", content=source.content)
        else:
            number += 1
            name = "inventory/hosts" if number == 1 else f"inventory/hosts_{number}"
            yield JobFile(name=name, content=source.content + "\n")


def _source(given: str, private_data_dir: Path) -> InventorySource:
    """Return what an inventory is: an existing path, the text of one, a list of hosts, or nothing we know."""
    if "\n" not in given and (path := _existing(given, private_data_dir)):
        return InventorySource(given=given, path=path)
    if any(mark in given for mark in "\n=["):
        return InventorySource(given=given, content=given)
    is_single_host = (
        "/" not in given
        and not private_data_dir.joinpath("inventory").exists()
        and not _is_meant_as_file(given, private_data_dir)
    )
    if "," in given or is_single_host or given == "localhost":
        hosts = [_host_line(host) for host in given.split(",") if host]
        return InventorySource(given=given, content="\n".join(hosts), is_host_list="," in given)
    return InventorySource(given=given)


def _is_meant_as_file(given: str, private_data_dir: Path) -> bool:
    """Return whether a name that exists nowhere is more likely a mistyped file than a host.

    Taken for a host, it would end as "no hosts matched" with exit code 0.
    """
    return Path(given).suffix in _FILE_SUFFIXES or nearest_name(given, private_data_dir) is not None


def nearest_name(given: str, private_data_dir: Path) -> str | None:
    """Return the name in the private data dir that is spelled most like a given one, or None."""
    import difflib  # needed only for a mistake

    places = (private_data_dir, private_data_dir / "inventory")
    names = [entry.name for place in places if place.is_dir() for entry in place.iterdir()]
    return next(iter(difflib.get_close_matches(given, names, n=1, cutoff=0.75)), None)


def _host_line(host: str) -> str:
    """Return a host as a line of an inventory.

    Source: ansible-runner writes the list as one text without hosts, so that Ansible's implicit localhost applies.
    """
    return f"{host} {_IMPLICIT_LOCALHOST}" if host == "localhost" else host


def _existing(given: str, private_data_dir: Path) -> str | None:
    """Return the relative path of an inventory that exists in the private data dir."""
    for candidate in (private_data_dir / "inventory" / given, Path(given), private_data_dir / given):
        absolute = Path(os.path.normpath(Path.cwd() / candidate))
        if absolute.is_relative_to(private_data_dir) and exists(absolute):
            return str(absolute.relative_to(private_data_dir))
    return None


def exists(path: Path) -> bool:
    """Whether a path exists; an inventory's text may be too long, or hold a NUL, for a name."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
