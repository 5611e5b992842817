"""The processes of the daemons below a directory, found by their command lines, and how they are ended."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from receptor_runner.mesh.local.waiting import is_true_within
from receptor_runner.system.processes import command_line, descendants, is_alive, read_table

STOP_TIMEOUT_S = 15.0
"""How long a daemon and the jobs below it may take to end: a job is interrupted, and tells its final status first."""

IN_DIRECTORY = 'cd "$0" && exec "$@"'
"""The script of the shell that changes the directory and then becomes a daemon."""


def receptor_processes(directory: Path) -> set[int]:
    """Return the daemons and command runners whose files are below a directory.

    A command runner outlives its daemon, so that no process ids on disk would lead to it; but both name the directory
    in their command lines.
    """
    return {pid for pid in read_table() if _is_receptor_of(command_line(pid), directory)}


def _is_receptor_of(words: list[str], directory: Path) -> bool:
    # A daemon that was started this moment may still be the shell.
    is_receptor = bool(words) and (Path(words[0]).name.startswith("receptor") or IN_DIRECTORY in words)
    return is_receptor and any(f"{directory}/" in word for word in words)


def end_processes(directory: Path) -> None:
    """End the daemons below a directory, their command runners, and the jobs below those.

    They are asked to end first; what is left after a while is killed.
    """
    known: dict[int, list[str]] = {}

    def are_gone() -> bool:
        # Each time anew: a daemon that was starting a unit has one more command runner by now.
        found = receptor_processes(directory)
        for pid in found - known.keys():
            for below in (pid, *descendants(pid)):
                known[below] = command_line(below)
            _send(pid, signal.SIGTERM)
        return not found and not any(is_alive(pid) for pid in known)

    if not is_true_within(STOP_TIMEOUT_S, are_gone):
        for pid, words in known.items():
            if command_line(pid) == words:  # else the process id is another process's by now
                _send(pid, signal.SIGKILL)
        is_true_within(STOP_TIMEOUT_S, are_gone)


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def reap(pid: int) -> None:
    """Collect a child that has ended; of a process that is not our child, or still runs, nothing."""
    with contextlib.suppress(ChildProcessError):
        if pid > 0:
            os.waitpid(pid, os.WNOHANG)
