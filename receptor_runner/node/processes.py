"""The processes of one unit: who belongs to it, and ending all of them.

Killing a process group is not killing a tree: a worker's children may have sessions of their own. The runner is
a child subreaper, so whatever it started, directly or not, stays below it in the process table.
"""

from __future__ import annotations

import os
import signal
import time

KILL_PAUSE_S = 0.02
KILL_DEADLINE_S = 5.0
_SNAPSHOTS = 3


class ProcessEntry:
    """What the process table says of one process."""

    __slots__ = ("lives", "parent")

    def __init__(self, *, lives: bool, parent: int) -> None:
        self.lives = lives
        self.parent = parent


def read_process(pid: int) -> ProcessEntry | None:
    """Return the entry of a process, or None when there is no such process."""
    content = _read_proc(pid, "stat")
    if content is None:
        return None
    fields = content.rpartition(b")")[2].split()
    # a process shows as a zombie once its first thread has ended, though others live and have children
    lives = fields[0] not in b"ZX" or int(fields[17]) > 1
    return ProcessEntry(lives=lives, parent=int(fields[1]))


def is_alive(pid: int) -> bool:
    """Whether a process exists and is not merely waiting to be reaped."""
    entry = read_process(pid) if pid > 0 else None
    return entry is not None and entry.lives


def is_runner_of(pid: int, unit_dir: str) -> bool:
    """Whether a process is the command runner of a unit (pids are reused: its command line must name the unit)."""
    if not is_alive(pid):
        return False
    command_line = _read_proc(pid, "cmdline")
    return command_line is not None and os.fsencode(unit_dir) in command_line


def list_descendants(pid: int) -> list[int]:
    """Return the living processes below one, its children first."""
    children = _children_by_parent(_read_table())
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def list_unit_processes(unit_dir: str) -> list[int]:
    """Return the living processes that read or write a unit's files as their standard streams, and those below.

    After the death of a runner this is the one sure mark of its command: pids and sessions are reused.
    """
    holders = [pid for pid in _read_table() if _uses_unit(pid, unit_dir)]
    return list(dict.fromkeys(holders + [pid for holder in holders for pid in list_descendants(holder)]))


def kill_descendants(pid: int) -> None:
    """Kill everything below a process, again and again until nothing is left of it.

    One pass is not enough: a process can fork between the look and the kill.
    """
    deadline = time.monotonic() + KILL_DEADLINE_S
    while (found := list_descendants(pid)) and time.monotonic() < deadline:
        send_signal(found, signal.SIGKILL)
        time.sleep(KILL_PAUSE_S)
        reap_children()


def end_orphans(unit_dir: str, patience_s: float) -> None:
    """End what a dead runner left behind: SIGINT, then after a while SIGKILL.

    Args:
        unit_dir: the unit's directory, by which its processes are recognised.
        patience_s: how long they may take to stop by themselves, in seconds.
    """
    send_signal(list_unit_processes(unit_dir), signal.SIGINT)
    deadline = time.monotonic() + patience_s
    while (found := list_unit_processes(unit_dir)) and time.monotonic() < deadline + KILL_DEADLINE_S:
        if time.monotonic() >= deadline:
            send_signal(found, signal.SIGKILL)
        time.sleep(KILL_PAUSE_S)


def send_signal(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to processes, those that are already gone left out."""
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


def _read_table() -> dict[int, ProcessEntry]:
    for _attempt in range(_SNAPSHOTS):
        table = _read_snapshot()
        if not {entry.parent for entry in table.values()} - table.keys() - {0}:
            break  # else a parent ended while the table was read: whose child is its child now?
    return table


def _read_snapshot() -> dict[int, ProcessEntry]:
    names = os.listdir("/proc")  # noqa: PTH208 - pathlib would slow the start of every runner
    entries = ((int(name), read_process(int(name))) for name in names if name.isdigit())
    return {pid: entry for pid, entry in entries if entry is not None and entry.lives}


def _children_by_parent(table: dict[int, ProcessEntry]) -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for pid, entry in table.items():
        children.setdefault(entry.parent, []).append(pid)
    return children


def _uses_unit(pid: int, unit_dir: str) -> bool:
    return any(_read_link(f"/proc/{pid}/fd/{fd}").startswith(f"{unit_dir}/") for fd in (0, 1, 2))


def _read_link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _read_proc(pid: int, name: str) -> bytes | None:
    try:
        fd = os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, 1 << 17)
    except OSError:
        return None
    finally:
        os.close(fd)
