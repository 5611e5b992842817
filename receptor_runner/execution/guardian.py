"""The parent of everything a job starts: a process of its own that outlives whatever happens to the worker.

It is run as a script with the number of a socket as its only argument, and needs nothing but the standard library.
Every process of the job is its descendant, for it is a child subreaper: orphans come to it. So stopping can walk the
whole tree, though ansible's forks leave their process group. When the worker dies, the socket closes: then the tree is
killed and the directories that must not stay behind are removed.

Requests and reports are lines of JSON; the descriptors of a request travel beside it.

    spawn  {"do": "spawn", "name", "argv", "env", "cwd", "terminal", "descriptors": [target numbers]}
           -> {"name", "pid"} or {"name", "errno"}; later {"name", "exited": wait status}
    stop   {"do": "stop"} -> {"stopped": true, "left": [pids]}
    remove_on_exit  {"do": "remove_on_exit", "path"}: remove this directory if the worker dies
    end    {"do": "end"}: kill what was started as a helper, leave the rest (asynchronous tasks live on), exit
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import sys
import termios
import time
from pathlib import Path
from typing import Any, NoReturn

INTERRUPT_GRACE_S = 2.0
TERMINATE_GRACE_S = 2.0
KILL_LIMIT_S = 3.0
KILL_PAUSE_S = 0.05
ORPHAN_GRACE_S = 0.5
SNAPSHOTS = 3

PR_SET_CHILD_SUBREAPER = 36
PR_GET_CHILD_SUBREAPER = 37
JOB = "job"


def parents() -> dict[int, int]:
    """Return the parent of every living process, by process id."""
    for _attempt in range(SNAPSHOTS):
        found = _snapshot()
        if not set(found.values()) - found.keys() - {0}:
            break  # else a parent ended while the table was read: whose child is its child now?
    return found


def _snapshot() -> dict[int, int]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                # a process shows as a zombie once its first thread has ended, though others live and have children
                if fields[0] != "Z" or int(fields[17]) > 1:
                    found[int(entry.name)] = int(fields[1])
    return found


def descendants(ancestor: int) -> set[int]:
    """Return the living processes below `ancestor`, wherever their process groups are."""
    parent_of = parents()
    found = {ancestor}
    while more := {pid for pid, parent in parent_of.items() if parent in found} - found:
        found |= more
    return found - {ancestor}


def send_signal(pids: set[int], number: int) -> None:
    """Signal each process; those that are gone, or belong to another user, are none of our worry."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def remove_tree(directory: Path) -> None:
    """Remove a directory with all that is in it, read-only directories too; what cannot be removed stays."""
    for parent, names, _files in os.walk(directory):
        for path in (Path(parent, name) for name in names):
            if not path.is_symlink():
                with contextlib.suppress(OSError):
                    path.chmod(0o700)
    shutil.rmtree(directory, ignore_errors=True)


class Ladder:
    """The way down: interrupt the job as Ctrl-C does, terminate its whole tree, kill what is left."""

    def __init__(self, now: float) -> None:
        self.stage = 0
        self.deadline = now

    def step(self, now: float, job: int | None, tree: set[int]) -> bool:
        """Do what is due now; return whether there is nothing more to do."""
        if not tree:
            return True
        if self.stage == 0:
            self._enter(now + INTERRUPT_GRACE_S)
            send_signal({job} if job else set(), signal.SIGINT)
        elif self.stage == 1 and (now >= self.deadline or job is None):
            self._enter(now + TERMINATE_GRACE_S)
            send_signal(tree, signal.SIGTERM)
        elif self.stage == 2 and now >= self.deadline:
            self._enter(now + KILL_LIMIT_S)
        if self.stage == 3:
            send_signal(tree, signal.SIGKILL)
            return now >= self.deadline
        return False

    def _enter(self, deadline: float) -> None:
        self.stage += 1
        self.deadline = deadline


class Guardian:
    """The loop: hears requests, starts processes, reaps them, reports, and cleans up when nobody listens any more."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._heard = b""
        self._received: list[int] = []
        self._names: dict[int, str] = {}
        self._removed_on_exit: list[Path] = []
        self._ladder: Ladder | None = None
        self._ended = False
        self._wakeup = self._watch_children()

    def _watch_children(self) -> int:
        reader, writer = os.pipe()
        for descriptor in (reader, writer):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        return reader

    def run(self) -> None:
        control = self._control.fileno()
        while not self._ended:
            pause = KILL_PAUSE_S if self._ladder else None
            ready = select.select([control, self._wakeup], [], [], pause)[0]
            if self._wakeup in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wakeup, 4096)
            self._reap()
            self._climb_down()
            if control in ready and not self._hear():
                self._clean_up()
        self._end_helpers()

    def _hear(self) -> bool:
        """Take what was requested; return False once the worker is gone."""
        try:
            data, descriptors, _flags, _address = socket.recv_fds(self._control, 1 << 16, 16)
        except ConnectionError:
            return False
        for descriptor in descriptors:  # the flag that would say so at once is ignored by recv_fds
            os.set_inheritable(descriptor, False)
        self._received += descriptors
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))
        return bool(data)

    def _obey(self, request: dict[str, Any]) -> None:
        action = request["do"]
        if action == "spawn":
            self._spawn(request)
        elif action == "stop":
            self._ladder = self._ladder or Ladder(time.monotonic())
        elif action == "remove_on_exit":
            self._removed_on_exit.append(Path(request["path"]))
        elif action == "end":
            self._ended = True

    def _report(self, **report: Any) -> None:
        # a worker that is gone is noticed when it is next listened to
        with contextlib.suppress(ConnectionError):
            self._control.sendall(json.dumps(report).encode() + b"\n")

    def _spawn(self, request: dict[str, Any]) -> None:
        count = len(request["descriptors"])
        given, self._received = self._received[:count], self._received[count:]
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            become(request, dict(zip(request["descriptors"], given, strict=True)), writer)
        for descriptor in (*given, writer):
            os.close(descriptor)
        failure = os.read(reader, 16)
        os.close(reader)
        if failure:
            os.waitpid(pid, 0)
            self._report(name=request["name"], errno=int(failure))
            return
        self._names[pid] = request["name"]
        self._report(name=request["name"], pid=pid)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                name = self._names.pop(ended[0], None)
                if name is not None:
                    self._report(name=name, exited=ended[1])

    def _helpers(self) -> set[int]:
        return {pid for pid, name in self._names.items() if name != JOB}

    def _climb_down(self) -> None:
        if self._ladder is None:
            return
        job = next((pid for pid, name in self._names.items() if name == JOB), None)
        tree = descendants(os.getpid()) - self._helpers()
        if self._ladder.step(time.monotonic(), job, tree):
            self._ladder = None
            self._report(stopped=True, left=sorted(tree))

    def _end_helpers(self) -> None:
        helpers = self._helpers()
        send_signal(helpers, signal.SIGKILL)
        for pid in helpers:
            os.waitpid(pid, 0)

    def _clean_up(self) -> None:
        """Leave nothing behind: the worker died."""
        send_signal(descendants(os.getpid()), signal.SIGTERM)
        deadline = time.monotonic() + ORPHAN_GRACE_S
        while (tree := descendants(os.getpid())) and time.monotonic() < deadline + KILL_LIMIT_S:
            if time.monotonic() >= deadline:
                send_signal(tree, signal.SIGKILL)
            time.sleep(KILL_PAUSE_S)
            self._reap()
        for path in self._removed_on_exit:
            remove_tree(path)
        self._ended = True


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def adopts_orphans() -> bool:
    """Whether this process is the parent of every descendant whose own parent dies."""
    answer = ctypes.c_int()
    ctypes.CDLL(None, use_errno=True).prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0)
    return bool(answer.value)


def become(request: dict[str, Any], descriptors: dict[int, int], failed: int) -> NoReturn:
    """Turn this fork into the program that is wanted, or say why not."""
    try:
        failed = _arrange(descriptors, failed)
        os.setsid()
        if request["terminal"]:
            fcntl.ioctl(1, termios.TIOCSCTTY, 0)  # standard input may be a pipe
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.chdir(request["cwd"])
        os.execvpe(request["argv"][0], request["argv"], request["env"])  # noqa: S606 - argv, never a shell
    except OSError as error:
        os.write(failed, str(error.errno or 1).encode())
    finally:
        os._exit(127)


def _arrange(descriptors: dict[int, int], failed: int) -> int:
    """Put each descriptor at its number; all sources move out of the way first."""
    base = max((*descriptors, 2)) + 1
    sources = {target: fcntl.fcntl(source, fcntl.F_DUPFD, base) for target, source in descriptors.items()}
    failed = fcntl.fcntl(failed, fcntl.F_DUPFD_CLOEXEC, base)
    for target, source in sources.items():
        os.dup2(source, target, inheritable=True)
    for source in sources.values():
        os.close(source)
    return failed


def main() -> None:
    """Guard, until the socket says the end or closes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    adopt_orphans()
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    Guardian(control).run()


if __name__ == "__main__":
    main()
