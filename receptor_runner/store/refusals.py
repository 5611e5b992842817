"""Which workers have no store, remembered for a while, so that not every job asks in vain."""

from __future__ import annotations

import contextlib
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

from receptor_runner.system.directories import state_directories

_REMEMBERED_FOR_S = 3600.0
"""A worker may be updated, or get other options: then it is asked again within the hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """Remembers on disk, as empty files, since each command is a process of its own.

    Attributes:
        directory: where they are; None remembers nothing.
    """

    directory: Path | None

    def note(self, *worker: str) -> None:
        """Remember that a worker has no store.

        Args:
            worker: what identifies it: local node, target node, work type.
        """
        with contextlib.suppress(OSError):
            if path := self._path(worker):
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.touch(mode=0o600)

    def includes(self, *worker: str) -> bool:
        """Return whether a worker had no store when it was last asked, not long ago."""
        try:
            path = self._path(worker)
            return path is not None and time.time() - path.lstat().st_mtime < _REMEMBERED_FOR_S
        except OSError:
            return False

    def _path(self, worker: tuple[str, ...]) -> Path | None:
        name = hashlib.sha256("\0".join(worker).encode()).hexdigest()
        return self.directory / name if self.directory else None


def users_refusals() -> Refusals:
    """Return what this user's commands remember."""
    place = next(iter(state_directories()), None)
    return Refusals(directory=place / "without-store" if place else None)
