"""What uses a directory: a process that works in it, a runner that was started in it, a mounted filesystem."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from receptor_runner.system.processes import is_alive

_OCTAL = re.compile(r"\\([0-7]{3})")


def user_of(directory: Path, working: Mapping[str, int]) -> str | None:
    """Return what uses a directory, as text, or None.

    Args:
        directory: a resolved path.
        working: the working directories of processes.

    Source: `ansible-runner start` writes its process id into `pid`; its worker writes none, but its ansible-playbook
    works in the project.
    """
    pid = _started_in(directory)
    pid = pid or next((pid for cwd, pid in working.items() if Path(cwd).is_relative_to(directory)), None)
    return f"process {pid}" if pid else None


def _started_in(directory: Path) -> int | None:
    """Return the process id of an `ansible-runner start` that is still running."""
    try:
        descriptor = os.open(directory / "pid", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            pid = int(file.read(32))
    except (OSError, ValueError):
        return None
    return pid if is_alive(pid) else None


def mount_below(directory: Path) -> Path | None:
    """Return where a filesystem is mounted at or below a directory, if one is."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    points = (Path(_OCTAL.sub(lambda code: chr(int(code[1], 8)), line.split()[4])) for line in lines)
    return next((point for point in points if point.is_relative_to(directory)), None)
