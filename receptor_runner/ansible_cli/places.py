"""Where the files that a command line names are on the node."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from receptor_runner.ansible_cli.project import Project
from receptor_runner.archive.pack import MemoryFile
from receptor_runner.errors import MissingInput
from receptor_runner.outside import Outside

PROJECT = PurePosixPath("project")
"""Where the project is in the private data directory on the node."""

SECRETS = PurePosixPath("secrets")
"""Below this are files that exist in memory only on this machine."""


@dataclass(slots=True)
class Places:
    """Translates local paths, and collects what has to travel because it lies outside of the project.

    Args:
        project: the project and the directory in which the command was typed.
        node_cwd: Ansible's working directory on the node, relative to the private data directory.

    Attributes:
        outside: what lies outside of the project and travels.
        files: files from memory, by their place there.
    """

    project: Project
    node_cwd: PurePosixPath
    outside: Outside = field(default_factory=Outside)
    files: dict[str, MemoryFile] = field(default_factory=dict)

    def local(self, name: str) -> Path:
        """Return a path of the command line as an absolute one."""
        return Path(os.path.normpath(self.project.cwd / Path(name).expanduser()))

    def existing(self, name: str, what: str) -> Path:
        """Return an absolute path of something that exists.

        Args:
            name: the path as it was given.
            what: what it is, for the error.

        Raises:
            MissingInput: it does not exist; the hint has the nearest name.
        """
        path = self.local(name)
        if not os.path.lexists(path):
            raise MissingInput(
                f"{what} {name} does not exist", cause=f"no such file: {path}", hint=_nearest(path)
            )
        return path

    def of_file(self, path: Path) -> str:
        """Return what a local file or directory is called on the node, from Ansible's working directory there."""
        return self.on_node(self._inside(path) or self.outside.place(path))

    def of_inventory(self, path: Path) -> str:
        """Return what an inventory is called on the node."""
        return self.on_node(self._inside(path) or self.outside.place_inventory(path))

    def of_playbook(self, path: Path, root: Path) -> str:
        """Return what a playbook is called on the node; one outside of the project travels with its own project.

        Args:
            path: the playbook.
            root: the project in which it lies.
        """
        return self.on_node(self._inside(path) or self.outside.place(path, root))

    def of_secret(self, content: bytes, what: str) -> str:
        """Let a file from memory travel, which only its owner may read; return what it is called on the node."""
        place = SECRETS / f"{len(self.files)}-{what}"
        self.files[str(place)] = MemoryFile(content)
        return self.on_node(place)

    def on_node(self, place: PurePosixPath) -> str:
        """Return a place in the private data directory as it reads from Ansible's working directory."""
        return os.path.relpath(place, self.node_cwd)

    def _inside(self, path: Path) -> PurePosixPath | None:
        if path.is_relative_to(self.project.root):
            return PROJECT / path.relative_to(self.project.root)
        return None


def _nearest(path: Path) -> str | None:
    names = sorted(_names_in(path.parent))
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean `{path.parent / near[0]}`?" if near else None


def _names_in(directory: Path) -> Iterator[str]:
    try:
        yield from (entry.name for entry in directory.iterdir())
    except OSError:
        return
