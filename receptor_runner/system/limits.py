"""What this machine has left: disk space, and the kernel's limits on inotify."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_INOTIFY = Path("/proc/sys/fs/inotify")
INOTIFY_LIMITS = ("max_user_instances", "max_user_watches")


def free_space(place: str | Path | int) -> int:
    """Return how many bytes this user can still write to a filesystem.

    Args:
        place: a path on it, or the descriptor of an open file.

    Raises:
        OSError: the path does not exist, or may not be reached.
    """
    status = os.statvfs(place)
    return status.f_bavail * status.f_frsize


def inotify_limits() -> dict[str, int]:
    """Return the kernel's limits for each user by name; those that the kernel does not show are left out."""
    found = {}
    for name in INOTIFY_LIMITS:
        with contextlib.suppress(OSError, ValueError):
            found[name] = int((_INOTIFY / name).read_text())
    return found
