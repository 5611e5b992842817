"""The directories below the target of an extraction, opened one below the other and never through a link."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Self

from receptor_runner.archive.checks import in_the_way
from receptor_runner.archive.small_files import enter

_FULL_ACCESS = stat.S_IRWXU


class TargetDirectories:
    """Hands out descriptors of directories; those on the way to the last one stay open.

    Args:
        target: where all of them are.

    Attributes:
        root: the descriptor of the target.
    """

    def __init__(self, target: Path) -> None:
        self.root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._open: list[tuple[str, int]] = []
        self._entered: tuple[str, ...] | None = None
        self._current = self.root
        self._loosened: list[tuple[int, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._leave(0)
        for descriptor, mode in self._loosened:
            os.fchmod(descriptor, mode)
            os.close(descriptor)
        os.close(self.root)

    def enter(self, parts: tuple[str, ...]) -> int:
        """Return the descriptor of a directory, made where it is missing. It is good until the next call.

        Raises:
            ArchiveError: something else stands there.
        """
        if parts == self._entered:
            return self._current
        shared = 0
        while shared < min(len(parts), len(self._open)) and self._open[shared][0] == parts[shared]:
            shared += 1
        self._leave(shared)
        for name in parts[shared:]:
            self._current = _enter_or_make(self._current, name)
            self._open.append((name, self._current))
            self._loosen(self._current)
        self._entered = parts
        return self._current

    def _leave(self, depth: int) -> None:
        while len(self._open) > depth:
            os.close(self._open.pop()[1])
        self._entered = None
        self._current = self._open[-1][1] if self._open else self.root

    def _loosen(self, descriptor: int) -> None:
        """Make a directory that stood there already writable while it is written to."""
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if mode & _FULL_ACCESS != _FULL_ACCESS:
            with contextlib.suppress(PermissionError):
                os.fchmod(descriptor, mode | _FULL_ACCESS)
                self._loosened.append((os.dup(descriptor), mode))


def _enter_or_make(parent: int, name: str) -> int:
    try:
        return enter(parent, name)
    except FileNotFoundError:
        os.mkdir(name, 0o700, dir_fd=parent)
        return enter(parent, name)
    except NotADirectoryError as error:
        raise in_the_way((name,), wants_directory=True) from error
