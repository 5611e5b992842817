"""Files and directories that travel with a job although they lie outside of what is sent as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from receptor_runner.archive.pack import Tree

OUTSIDE = PurePosixPath("outside")
"""The directory for them in the private data directory on the worker."""

_FILE_OPTIONS = frozenset(
    {
        "-i",
        "--inventory",
        "--inventory-file",
        "--private-key",
        "--key-file",
        "--vault-password-file",
        "--vault-pass-file",
        "--become-password-file",
        "--become-pass-file",
        "--connection-password-file",
        "--conn-pass-file",
    }
)
_VARIABLES_OPTIONS = frozenset({"-e", "--extra-vars"})
_INVENTORY_NEIGHBOURS = ("group_vars", "host_vars")


@dataclass(slots=True)
class Outside:
    """Gives each of them a place in the private data directory on the worker.

    Attributes:
        trees: the local files and directories, by their place.
    """

    trees: dict[str, Path] = field(default_factory=dict)

    def place(self, path: Path, tree: Path | None = None) -> PurePosixPath:
        """Let a file or a directory travel; return its place.

        Args:
            path: an absolute path.
            tree: the directory that travels for it, if that is more than the path itself.
        """
        tree = tree or path
        known = next((place for place, local in self.trees.items() if local == tree), None)
        if known is None:
            known = str(OUTSIDE / str(len(self.trees)) / tree.name)
            self.trees[known] = tree
        return PurePosixPath(known) / path.relative_to(tree)

    def place_inventory(self, path: Path) -> PurePosixPath:
        """Let an inventory travel, and the variables beside it; return its place.

        Source: Ansible reads group_vars and host_vars from the directory in which an inventory lies.
        """
        place = self.place(path)
        for name in _INVENTORY_NEIGHBOURS if path.is_file() else ():
            if (neighbour := path.parent / name).is_dir():
                self.trees[str(place.parent / name)] = neighbour
        return place

    def as_trees(self) -> list[Tree]:
        """Return them as trees for an archive; what a link leads to travels, not the link."""
        return [Tree(root=local.resolve(), place=place) for place, local in self.trees.items()]


def translate_files(words: Iterable[str], translate: Callable[[str], str]) -> Iterator[str]:
    """Yield the words of a command line of Ansible's with the files in it translated.

    Args:
        words: the command line.
        translate: takes what an option names as a file and returns what to write instead.
    """
    option = ""
    for word in words:
        name, equals, value = (
            word.partition("=") if word.startswith("--") and "=" in word else (option, "", word)
        )
        if name in _FILE_OPTIONS:
            value = translate(value)
        elif name in _VARIABLES_OPTIONS and value.startswith("@"):
            value = f"@{translate(value[1:])}"
        yield f"{name}={value}" if equals else value
        option = word
