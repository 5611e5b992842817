"""The processes of one unit: which ones belong to it, and ending all of them.

Killing a process group is not killing a tree: a worker's children may have sessions of their own. The command runner
is a child subreaper, so whatever it started, directly or not, stays below it in the process table.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable

from receptor_runner.system.processes import command_line, descendants, is_alive, read_table, standard_stream

KILL_PAUSE_S = 0.02
KILL_DEADLINE_S = 5.0


def is_runner_of(pid: int, unit_dir: str) -> bool:
    """Return whether a process is the command runner of a unit.

    Pids are reused, so its command line must name the unit.
    """
    return is_alive(pid) and any(unit_dir in word for word in command_line(pid))


def list_unit_processes(unit_dir: str) -> list[int]:
    """Return the living processes whose standard streams are a unit's files, and those below them.

    Once a runner is dead, this is the one sure mark of its command: pids and sessions are reused.
    """
    holders = _holders(unit_dir)
    return list(dict.fromkeys(holders + [pid for holder in holders for pid in descendants(holder)]))


def _holders(unit_dir: str) -> list[int]:
    return [pid for pid in read_table() if _uses_unit(pid, unit_dir)]


def _uses_unit(pid: int, unit_dir: str) -> bool:
    return any(_stream(pid, descriptor).startswith(f"{unit_dir}/") for descriptor in (0, 1, 2))


def _stream(pid: int, descriptor: int) -> str:
    try:
        return standard_stream(pid, descriptor)
    except OSError:
        return ""


def kill_descendants(pid: int, *, spare: Callable[[], set[int]] = set) -> None:
    """Kill everything below a process, again and again until nothing is left.

    One pass is not enough: a process can fork between the look and the kill.

    Args:
        pid: the process.
        spare: returns the processes that are left alone.
    """
    deadline = time.monotonic() + KILL_DEADLINE_S
    while (found := set(descendants(pid)) - spare()) and time.monotonic() < deadline:
        send_signal(found, signal.SIGKILL)
        time.sleep(KILL_PAUSE_S)
        reap_children()


def end_orphans(unit_dir: str, timeout_s: float) -> None:
    """End what a dead runner left behind: SIGINT, then after a while SIGKILL.

    Only its command is interrupted, as by a runner. A worker that is told to cancel ends what is below it, and says
    that it did; if everything ended at once, the end of its play might look like a failure of the job.

    Args:
        unit_dir: the unit's directory, by which its processes are recognized.
        timeout_s: how long they may take to stop by themselves, in seconds.
    """
    send_signal(_holders(unit_dir), signal.SIGINT)
    deadline = time.monotonic() + timeout_s
    while (found := list_unit_processes(unit_dir)) and time.monotonic() < deadline + KILL_DEADLINE_S:
        if time.monotonic() >= deadline:
            send_signal(found, signal.SIGKILL)
        time.sleep(KILL_PAUSE_S)


def send_signal(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to processes; those that are already gone are left out."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def reap_children() -> dict[int, int]:
    """Collect the children that have ended: their wait status by pid."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, wait_status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = wait_status
