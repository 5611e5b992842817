"""The process table, read from /proc: who is alive, who is below whom, what a process stands in and reads.

The one reader for the embedded node, the clean-up and the control side. The guardian runs isolated from this package
and keeps its own. Only light modules are imported: each command runner imports this one.
"""

from __future__ import annotations

import os

_SNAPSHOTS = 3
_PR_SET_CHILD_SUBREAPER = 36


class Process:
    """The entry of one process.

    Attributes:
        lives: whether it exists and is not merely waiting to be reaped.
        parent: the pid of its parent.
    """

    __slots__ = ("lives", "parent")

    def __init__(self, *, lives: bool, parent: int) -> None:
        self.lives = lives
        self.parent = parent


def read_process(pid: int) -> Process | None:
    """Return the entry of a process, or None when there is no such process."""
    content = _read(pid, "stat")
    if content is None:
        return None
    # The command's name is in parentheses and may hold anything, parentheses and spaces too.
    fields = content.rpartition(b")")[2].split()
    # A process shows as a zombie once its first thread has ended, though others live and have children.
    lives = fields[0] not in b"ZX" or int(fields[17]) > 1
    return Process(lives=lives, parent=int(fields[1]))


def is_alive(pid: int) -> bool:
    """Return whether a process exists and is not merely waiting to be reaped."""
    entry = read_process(pid) if pid > 0 else None
    return entry is not None and entry.lives


def read_table() -> dict[int, Process]:
    """Return the living processes by pid.

    The table is no snapshot: a parent may end while it is read, and its children then hang below a process that is
    not in it. Reading again settles that.
    """
    for _attempt in range(_SNAPSHOTS):
        table = _read_once()
        if not {entry.parent for entry in table.values()} - table.keys() - {0}:
            break
    return table


def _read_once() -> dict[int, Process]:
    entries = ((pid, read_process(pid)) for pid in _pids())
    return {pid: entry for pid, entry in entries if entry is not None and entry.lives}


def descendants(pid: int) -> list[int]:
    """Return the living processes below one, its children first."""
    children: dict[int, list[int]] = {}
    for child, entry in read_table().items():
        children.setdefault(entry.parent, []).append(child)
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def command_line(pid: int) -> list[str]:
    """Return the words of a process's command line; none if there is no such process."""
    content = _read(pid, "cmdline") or b""
    return [os.fsdecode(word) for word in content.split(b"\0")[:-1]]


def shares_pid_namespace(pid: int) -> bool:
    """Return whether a process counts processes as we do.

    Raises:
        OSError: it cannot be seen.
    """
    return os.readlink(f"/proc/{pid}/ns/pid") == os.readlink("/proc/self/ns/pid")


def standard_stream(pid: int, descriptor: int) -> str:
    """Return the path behind one of a process's standard streams, also if that file is deleted by now.

    Raises:
        OSError: it cannot be seen.
    """
    return os.readlink(f"/proc/{pid}/fd/{descriptor}").removesuffix(" (deleted)")


def working_directories() -> dict[str, int]:
    """Return where processes stand, as far as that can be seen, each with the pid of one of them."""
    found = {}
    for pid in _pids():
        try:
            found[os.readlink(f"/proc/{pid}/cwd")] = pid
        except OSError:  # it has ended, or belongs to another user
            continue
    return found


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - pathlib is slow to import


def _read(pid: int, name: str) -> bytes | None:
    try:
        descriptor = os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(descriptor, 1 << 17)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent ends."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
