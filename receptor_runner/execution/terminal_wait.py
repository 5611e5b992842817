"""Tells whether a program waits for something to be typed into its terminal."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from receptor_runner.execution.guardian import descendants

_READ_CALLS = frozenset({"0", "3", "63"})
"""The number of read(2): x86_64, 32 bit machines, arm64 and newer ones."""


def reads_terminal(ancestor: int, terminal: str) -> bool:
    """Tell whether a process is blocked in reading a terminal.

    Args:
        ancestor: the process below which to look.
        terminal: the path of the terminal, as `os.ttyname` gives it.
    """
    return any(_reads(pid, {terminal, "/dev/tty"}) for pid in descendants(ancestor))


def _reads(pid: int, terminals: set[str]) -> bool:
    # a process that is gone, or that we may not look at, is not known to wait
    with suppress(OSError, IndexError, ValueError):
        call, descriptor = Path(f"/proc/{pid}/syscall").read_text().split()[:2]
        return call in _READ_CALLS and os.readlink(f"/proc/{pid}/fd/{int(descriptor, 16)}") in terminals
    return False
