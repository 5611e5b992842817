"""What /proc says of the processes of a node on this machine."""

from __future__ import annotations

import os
from pathlib import Path


def is_alive(pid: int) -> bool:
    """Return whether a process exists; one that only waits to be reaped does not count."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {b"Z", b"X"}


def shares_pid_namespace(pid: int) -> bool:
    """Return whether a process counts processes as we do.

    Raises:
        OSError: it cannot be seen.
    """
    return os.readlink(f"/proc/{pid}/ns/pid") == os.readlink("/proc/self/ns/pid")


def standard_input(pid: int) -> str:
    """Return the path that a process reads as its standard input, also if that file is deleted by now.

    Raises:
        OSError: it cannot be seen.
    """
    return os.readlink(f"/proc/{pid}/fd/0").removesuffix(" (deleted)")
