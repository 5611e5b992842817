"""What a job becomes on its way to another machine: its paths are those of the worker, its secrets are files.

Nothing is written here; files that the job needs on the worker go into the archive from memory.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from receptor_runner.archive.pack import MemoryFile
from receptor_runner.errors import MissingInput, UsageError
from receptor_runner.job import Job
from receptor_runner.job_files import (
    InventorySource,
    JobFile,
    exists,
    inventory_files,
    inventory_sources,
    nearest_name,
    playbook_file,
    project_directory,
    relative_to,
    role_as_play,
)
from receptor_runner.outside import Outside, translate_files

ENV_FILES = ("envvars", "extravars", "passwords", "settings", "ssh_key", "cmdline")
"""Options that travel as files below `env/`, unless `suppress_env_files` is set."""


def named_files(job: Job) -> frozenset[str]:
    """Return what a job's options name as inventories, variables, keys and password files.

    Args:
        job: the job, its paths those of the worker.

    Returns:
        Each in all places of the private data directory that may be meant.
    """
    inventory = job.inventory if isinstance(job.inventory, list) else [job.inventory]
    names = [name for name in inventory if isinstance(name, str)]
    names += [job.extravars] if isinstance(job.extravars, str) else []

    def note(name: str) -> str:
        names.append(name)
        return name

    with contextlib.suppress(ValueError):  # whoever reads the inputs says what is wrong with it
        list(translate_files(shlex.split(job.cmdline or ""), note))
    starts = {"", "project", job.project_dir or "project"}
    return frozenset(os.path.normpath(PurePosixPath(start, name)) for name in names for start in starts)


def options_as_files(job: Job, exists: Callable[[str], bool]) -> tuple[Job, dict[str, MemoryFile]]:
    """Return a job without the options that travel as files below `env/`, and these files.

    Secrets stay out of the options that way, which are often logged.

    Args:
        job: what to run.
        exists: whether the private data directory has a file of that name below `env/`, which wins.
    """
    changes: dict[str, Any] = {}
    files: dict[str, MemoryFile] = {}
    for key in () if job.suppress_env_files else ENV_FILES:
        value = getattr(job, key)
        if not value or exists(key) or (key == "extravars" and isinstance(value, str)):
            continue
        changes[key] = None
        if key == "envvars" and "ANSIBLE_ROLES_PATH" in value:
            # the worker resolves this one, and only where it arrives as an option
            changes[key] = {"ANSIBLE_ROLES_PATH": value["ANSIBLE_ROLES_PATH"]}
            value = {name: value[name] for name in value if name != "ANSIBLE_ROLES_PATH"}
        if value:
            text = value if isinstance(value, str) else json.dumps(value)
            files[f"env/{key}"] = MemoryFile(text.encode("utf-8", "surrogateescape"))
    return dataclasses.replace(job, **changes), files


@dataclass(slots=True)
class Relocation:
    """A job on its way to the worker.

    Attributes:
        job: its options as they travel.
        root: the private data dir, an absolute path.
        has_archive: whether files can be added to an archive; without one, data stays in the options.
        files: the files that exist in the archive only, by name.
        outside: files outside of the private data dir that travel too.
        named: what the options name as inventories, keys and the like.
    """

    job: Job
    root: Path
    has_archive: bool
    files: dict[str, MemoryFile] = field(default_factory=dict)
    outside: Outside = field(default_factory=Outside)
    named: frozenset[str] = frozenset()

    def perform(self) -> None:
        """Translate everything.

        Raises:
            MissingInput: an inventory does not exist.
            UsageError: an inventory cannot travel, or a file would be placed behind a symbolic link.
        """
        self._translate_playbook()
        self._translate_inventory()
        self._translate_extravars()
        self._translate_cmdline()
        self._translate_directories()
        self._translate_roles_path()
        self.named = named_files(self.job)
        if self.has_archive:
            self._move_options_to_files()
        self._check_files()

    def _set(self, **options: Any) -> None:
        self.job = dataclasses.replace(self.job, **options)

    def _add(self, file: JobFile) -> str:
        self.files[file.name] = MemoryFile(file.content.encode("utf-8", "surrogateescape"))
        return file.name

    def _translate_playbook(self) -> None:
        if self.has_archive or self.job.role is None:
            self.job = role_as_play(self.job, ".")
        playbook = self.job.playbook
        if isinstance(playbook, str) and Path(playbook).is_absolute():
            self._set(playbook=self._shipped_playbook(playbook))
        elif self.has_archive and (file := playbook_file(self.job, self.root)):
            self._set(playbook=Path(self._add(file)).name)

    def _shipped_playbook(self, playbook: str) -> str:
        """Return an absolute path as the worker finds it from its project; one outside of what we send stays."""
        inside = relative_to(playbook, self.root)
        return os.path.relpath(inside, project_directory(self.job, self.root)) if inside else playbook

    def _translate_inventory(self) -> None:
        sources = inventory_sources(self.job.inventory, self.root)
        if not self.has_archive and isinstance(self.job.inventory, dict):
            return
        files = inventory_files(sources)
        paths = [self._inventory_path(source, file) for source, file in zip(sources, files, strict=True)]
        if paths:
            self._set(inventory=paths[0] if len(paths) == 1 else paths)

    def _inventory_path(self, source: InventorySource, file: JobFile | None) -> str:
        if source.path:
            return source.path
        if file:
            return self._add(file) if self.has_archive else source.given
        return self._outside_inventory(source.given)

    def _outside_inventory(self, given: str) -> str:
        path = Path(os.path.abspath(given))
        if exists(path):
            return str(self.outside.place_inventory(path)) if self.has_archive else str(path)
        near = nearest_name(given, self.root)
        raise MissingInput(
            f"no inventory `{given}` in {self.root}",
            hint=f"did you mean `{near}`?" if near else f"for a host of that name add a comma: `{given},`",
        )

    def _translate_extravars(self) -> None:
        """Let a file of variables outside travel; the worker reads the option as a path from its own directory."""
        extravars = self.job.extravars
        if self.has_archive and isinstance(extravars, str) and (path := self._outside_path(extravars)):
            self._set(extravars=str(self.outside.place(path)))

    def _translate_cmdline(self) -> None:
        """Let the files travel that the command line names, if they lie outside."""
        if not self.has_archive or not self.job.cmdline:
            return
        words = shlex.split(self.job.cmdline)
        translated = list(translate_files(words, self._file_of_cmdline))
        if translated != words:
            self._set(cmdline=shlex.join(translated))

    def _file_of_cmdline(self, name: str) -> str:
        """Return a file as it is named from the directory in which the worker runs Ansible.

        A project directory outside is one of the worker's own machine: no path leads from there to what is shipped, and
        the name, as ansible-runner sends it, may be right there.
        """
        path, project = self._outside_path(name), self.job.project_dir
        is_elsewhere = bool(project and not self.job.module and relative_to(project, self.root) is None)
        if path is None or is_elsewhere:
            return name
        start = "." if self.job.module else project_directory(self.job, self.root)
        return os.path.relpath(self.outside.place(path), start)

    def _outside_path(self, text: str) -> Path | None:
        """Return the path of a file or directory that a text names, if it is absolute and lies outside."""
        path = Path(os.path.normpath(text))
        return path if path.is_absolute() and not path.is_relative_to(self.root) and exists(path) else None

    def _translate_directories(self) -> None:
        for key in ("project_dir", "artifact_dir"):
            value = getattr(self.job, key)
            if value and Path(value).is_absolute():
                self._set(**{key: relative_to(value, self.root) or value})

    def _translate_roles_path(self) -> None:
        """Make ANSIBLE_ROLES_PATH relative to `roles/`: the worker joins each entry to its own `roles/`."""
        envvars = self.job.envvars or {}
        if "ANSIBLE_ROLES_PATH" in envvars:
            paths = str(envvars["ANSIBLE_ROLES_PATH"]).split(":")
            below = ":".join(self._from_roles(path) for path in paths)
            self._set(envvars={**envvars, "ANSIBLE_ROLES_PATH": below})

    def _from_roles(self, path: str) -> str:
        inside = relative_to(path, self.root) if Path(path).is_absolute() else None
        return os.path.relpath(inside, "roles") if inside else path

    def _move_options_to_files(self) -> None:
        self.job, files = options_as_files(self.job, lambda key: (self.root / "env" / key).exists())
        self.files |= files

    def _check_files(self) -> None:
        """Refuse files that the worker could not write, because a parent is not a directory."""
        for name in self.files:
            for parent in Path(name).parents:
                place = self.root / parent
                if parent.name and (place.is_symlink() or place.is_file()):
                    raise UsageError(
                        f"`{parent}` in the private data directory is a file or a symbolic link",
                        cause=f"the job needs a file {name} there, on the worker",
                        hint=f"make {place} a directory, or put {name} where it leads",
                    )
