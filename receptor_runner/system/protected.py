"""The directories that are never removed, whatever a pattern matches."""

from __future__ import annotations

import contextlib
import os
import pwd
import tempfile
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from receptor_runner.errors import UsageError

_SYSTEM = "a system directory, or above one"
_HOME = "a home directory, or above one"
_HERE = "the current directory, or above it"
_OUTPUT = "where the output of this command goes, or above it"

_DIRECTORIES = (
    "/",
    "/home",
    "/lost+found",
    "/media",
    "/mnt",
    "/opt",
    "/run",
    "/run/lock",
    "/run/receptor",
    "/run/systemd",
    "/run/user",
    "/snap",
    "/srv",
    "/tmp",  # noqa: S108 - named in order to be spared
    "/var",
    "/var/lib",
    "/dev/shm",  # noqa: S108 - likewise
)
"""Directories that are kept; their content may be removed."""

_TREES = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/sbin", "/sys", "/usr")
"""Directories that are kept with all their content."""

_FULL_OF_SYSTEM = ("/run/user", "/var", "/var/lib")
_FULL_OF_HOMES = ("/home", "/Users", "/var/home")


class Protected:
    """The protected directories of this machine."""

    @cached_property
    def _kept(self) -> Mapping[Path, str]:
        """The directories that are kept, each with the reason; all parents are kept too."""
        kept = dict.fromkeys(_both_ways(_homes()), _HOME)
        kept |= dict.fromkeys(_both_ways([*_DIRECTORIES, tempfile.gettempdir()]), _SYSTEM)
        kept |= dict.fromkeys(_both_ways(_output_directories()), _OUTPUT)
        return kept | {Path.cwd(): _HERE}

    @cached_property
    def _above(self) -> Mapping[Path, str]:
        return {parent: reason for path, reason in self._kept.items() for parent in path.parents}

    @cached_property
    def _full(self) -> Mapping[Path, str]:
        """The directories whose direct entries are kept; what is deeper may be removed."""
        system = dict.fromkeys(_both_ways(_FULL_OF_SYSTEM), _SYSTEM)
        return system | dict.fromkeys(_both_ways(_FULL_OF_HOMES), _HOME)

    @cached_property
    def _trees(self) -> frozenset[Path]:
        return _both_ways(_TREES)

    def reason(self, path: Path) -> str | None:
        """Return why a resolved path is protected, or None if it is not."""
        if why := self._kept.get(path) or self._full.get(path.parent):
            return why
        return _SYSTEM if self._is_in_tree(path) else self._above.get(path)

    def _is_in_tree(self, path: Path) -> bool:
        in_memory = Path("/dev/shm") in path.parents  # noqa: S108 - private data directories may well be there
        return not in_memory and any(path.is_relative_to(tree) for tree in self._trees)

    def check(self, paths: Mapping[str, Path]) -> None:
        """Check that nothing is protected.

        Args:
            paths: resolved paths, by the names to show.

        Raises:
            UsageError: it names all protected paths.

        Source: the sentences of ansible-runner's `worker cleanup`, which protects fewer directories.
        """
        refused = {name: why for name, path in paths.items() if (why := self.reason(path))}
        if refused:
            raise UsageError(
                f"Provided pattern could result in deleting system folders:\n{' '.join(refused)}\n"
                "Refusing to continue for user system safety.",
                cause="; ".join(f"{name} is {why}" for name, why in refused.items()),
            )


def _both_ways(paths: Iterable[str | Path]) -> frozenset[Path]:
    """Return the paths as they are written, and resolved."""
    given = [Path(path) for path in paths]
    return frozenset([*given, *(path.resolve() for path in given)])


def _homes() -> list[Path]:
    homes = [Path("/root"), *(Path(user.pw_dir) for user in pwd.getpwall() if user.pw_dir.startswith("/"))]
    with contextlib.suppress(RuntimeError):
        homes.append(Path.home())
    return homes


def _output_directories() -> list[Path]:
    """Return the directories of the files that our own output goes to; in a work unit, the unit's directory."""
    found = []
    for descriptor in range(3):
        with contextlib.suppress(OSError):
            target = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            if target.is_absolute() and target.is_file():
                found.append(target.parent)
    return found
