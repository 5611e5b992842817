"""Where the files that a command line names are on the node."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from receptor_runner.ansible_cli.project import Project
from receptor_runner.errors import MissingInput
from receptor_runner.stream.archive import MemoryFile

PROJECT = PurePosixPath("project")
"""Where the project is in the private data directory on the node."""

OUTSIDE = PurePosixPath("outside")
"""Below this are files that lie outside of the project on this machine."""

SECRETS = PurePosixPath("secrets")
"""Below this are files that exist in memory only on this machine."""

_INVENTORY_NEIGHBOURS = ("group_vars", "host_vars")


@dataclass(slots=True)
class Places:
    """Translates local paths, and collects what has to travel because it lies outside of the project.

    Args:
        project: the project and the directory in which the command was typed.
        node_cwd: Ansible's working directory on the node, relative to the private data directory.

    Attributes:
        trees: what lies outside of the project, by its place in the private data directory.
        files: files from memory, by their place there.
    """

    project: Project
    node_cwd: PurePosixPath
    trees: dict[str, Path] = field(default_factory=dict)
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
        return self.on_node(self._inside(path) or self._outside(path, path))

    def of_inventory(self, path: Path) -> str:
        """Return what an inventory is called on the node; variables beside it travel too.

        Source: Ansible reads group_vars and host_vars from the directory in which an inventory lies.
        """
        inside = self._inside(path)
        if inside is None:
            inside = self._outside(path, path)
            for name in _INVENTORY_NEIGHBOURS if path.is_file() else ():
                if (neighbour := path.parent / name).is_dir():
                    self.trees[str(inside.parent / name)] = neighbour
        return self.on_node(inside)

    def of_playbook(self, path: Path, root: Path) -> str:
        """Return what a playbook is called on the node; one outside of the project travels with its own project.

        Args:
            path: the playbook.
            root: the project in which it lies.
        """
        return self.on_node(self._inside(path) or self._outside(path, root))

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

    def _outside(self, path: Path, tree: Path) -> PurePosixPath:
        """Return the place of a path that travels as a part of a tree outside of the project."""
        known = next((place for place, local in self.trees.items() if local == tree), None)
        if known is None:
            known = str(OUTSIDE / str(len(self.trees)) / tree.name)
            self.trees[known] = tree
        return PurePosixPath(known) / path.relative_to(tree)


def _nearest(path: Path) -> str | None:
    names = sorted(_names_in(path.parent))
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean `{path.parent / near[0]}`?" if near else None


def _names_in(directory: Path) -> Iterator[str]:
    try:
        yield from (entry.name for entry in directory.iterdir())
    except OSError:
        return
