"""The parent of all processes of a job: a process of its own, so that it survives the worker.

It runs as a script with the number of a socket as its only argument, and imports only the standard library. As a child
subreaper it adopts orphans, so every process of the job stays its descendant: stopping walks the whole tree, although
Ansible's forks leave their process group. When the worker dies, the socket closes; the guardian then kills the tree and
removes the temporary directories.

Requests and reports are lines of JSON; descriptors are sent along as ancillary data.

    spawn  {"do": "spawn", "name", "argv", "env", "cwd", "terminal", "descriptors": [target numbers], "stop"}
           -> {"name", "pid"} or {"name", "errno", "path"}; later {"name", "exited": wait status}
           "stop" is how to stop the job: null for signals to its tree, {"below": name} to interrupt what runs
           below a wrapper of that name, {"interrupt": argv, "remove": argv, "reclaim": argv} for a container
    hold   {"do": "hold"}: keep the descriptor that is sent along open until this process ends
    stop   {"do": "stop"} -> {"stopped": true, "left": [pids], "undone": [argv]}
           "undone" is the command that could not remove the container, if there was one and it is still there
    remove_on_exit  {"do": "remove_on_exit", "path"}: remove this directory if the worker dies
    over   {"do": "over"}: the job has ended; if the worker dies now, only its directories are removed
    end    {"do": "end"}: kill the helpers, leave the rest running (asynchronous tasks), exit
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
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
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

INTERRUPT_GRACE_S = 2.0
TERMINATE_GRACE_S = 2.0
KILL_LIMIT_S = 3.0
KILL_PAUSE_S = 0.05
ENGINE_INTERRUPT_LIMIT_S = 5.0
ENGINE_LIMIT_S = 30.0
CLIENT_LIMIT_S = 20.0
REMOVE_AGAIN_S = 5.0
MONITOR_GRACE_S = 1.0
ORPHAN_GRACE_S = 0.5
SNAPSHOTS = 3

PR_SET_CHILD_SUBREAPER = 36
PR_GET_CHILD_SUBREAPER = 37
JOB = "job"
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def parents() -> dict[int, int]:
    """Return the parent of every living process, by process id."""
    for _attempt in range(SNAPSHOTS):
        found = _snapshot()
        if not set(found.values()) - found.keys() - {0}:
            break  # A parent ended while we read the table, so some child has a new parent: read it again.
    return found


def _snapshot() -> dict[int, int]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                # Once its first thread ends, a process is a zombie, although other threads may live and have children.
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
    """Signal each process; ignore those that are gone or belong to another user."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def remove_tree(directory: Path) -> None:
    """Remove a directory and everything in it, read-only directories too; what cannot be removed stays.

    This module has its own copy of this function and of the process table above: it runs as a script with `-I -S`,
    cannot import the package, and must go on working while the package is being replaced or removed.
    """
    with contextlib.suppress(OSError):
        directory.chmod(0o700)
    for parent, names, _files in os.walk(directory):
        for path in (Path(parent, name) for name in names):
            if not path.is_symlink():
                with contextlib.suppress(OSError):
                    path.chmod(0o700)
    shutil.rmtree(directory, ignore_errors=True)


def name_of(pid: int) -> str:
    """Return the name of a process, empty if it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().rstrip("\n")
    return ""


def run_below(tree: set[int], wrapper: str) -> set[int]:
    """Return the processes that a wrapper started, without its own: bwrap dies of a signal and takes all along."""
    parent_of = parents()
    return {pid for pid in tree if name_of(pid) != wrapper and name_of(parent_of.get(pid, 0)) == wrapper}


def is_shared(pid: int) -> bool:
    """Whether this is the pause process of rootless podman, which all containers of a user share."""
    with contextlib.suppress(OSError):
        is_catatonit = Path(f"/proc/{pid}/cmdline").read_bytes() == b"catatonit\0-P\0"
        return (
            is_catatonit or name_of(pid) == "podman pause"
        )  # podman's own, where catatonit is not installed
    return False


class Ladder:
    """Stops a job in stages: interrupt it as Ctrl-C does, terminate its whole tree, kill what is left."""

    undone: tuple[str, ...] = ()  # as for `ContainerLadder`; here there is no container

    def __init__(self, now: float, below: str | None = None) -> None:
        self.stage = 0
        self.deadline = now
        self._below = below

    def step(self, now: float, job: int | None, tree: set[int]) -> bool:
        """Take the next step if it is due; return whether the job is stopped."""
        if not tree:
            return True
        if self.stage == 0:
            self._enter(now + INTERRUPT_GRACE_S)
            interrupted = {job} if job else set()
            send_signal(run_below(tree, self._below) if self._below else interrupted, signal.SIGINT)
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


class EngineCommand:
    """One run of a container engine's command line, with the worker's own environment and a time limit."""

    def __init__(self, argv: list[str], now: float, limit_s: float = ENGINE_LIMIT_S) -> None:
        self.status: int | None = None
        self._deadline = now + limit_s
        self.pid = 0
        null = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
        try:
            self.pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=null, setsigdef=STOPPING)
        except OSError:
            self.status = 127

    def is_running(self, now: float) -> bool:
        """Whether it still runs; an engine that hangs is killed, since others wait for the job's end."""
        if self.status is None and now >= self._deadline:
            send_signal({self.pid}, signal.SIGKILL)
        return self.status is None


class ContainerLadder:
    """The way down for a container: interrupt what runs in it, then have its engine remove it.

    Its engine does both. A signal to the engine's client would not do: the container outlives the client, and a
    client that is killed while it creates a container leaves a half-made one that no later command finds. All limits
    are long, for the same reason: an engine waits for the disk several times, and on a busy one that takes seconds.

    Attributes:
        undone: the command that could not remove the container, empty if it is gone.
    """

    def __init__(self, commands: dict[str, list[str]], *, graceful: bool = True) -> None:
        self.command: EngineCommand | None = None
        self.undone: list[str] = []
        self._commands = commands
        self._next: Callable[[float, int | None, set[int]], bool]
        self._next = self._interrupt if graceful else self._remove
        self._deadline = 0.0

    def step(self, now: float, job: int | None, tree: set[int]) -> bool:
        """Take the next step if it is due; return whether the job is stopped."""
        if self.command and self.command.is_running(now):
            return False
        if self._next in {self._interrupt, self._await, self._remove} and job is None:
            self._next = self._remove_last
        return self._next(now, job, tree)

    def _remove_now(self, now: float) -> None:
        self.command = EngineCommand(self._commands["remove"], now)

    def _interrupt(self, now: float, _job: int | None, _tree: set[int]) -> bool:
        self.command = EngineCommand(self._commands["interrupt"], now, ENGINE_INTERRUPT_LIMIT_S)
        self._deadline = now + INTERRUPT_GRACE_S
        self._next = self._await
        return False

    def _await(self, now: float, _job: int | None, _tree: set[int]) -> bool:
        # a container that does not run yet cannot be interrupted, and has nothing in it that needs time
        if now >= self._deadline or (self.command and self.command.status):
            self._deadline = 0.0
            self._next = self._remove
        return False

    def _remove(self, now: float, job: int | None, _tree: set[int]) -> bool:
        """Remove the container again and again until the client has ended: it may be about to create it."""
        self._deadline = self._deadline or now + CLIENT_LIMIT_S
        if now >= self._deadline:
            send_signal({job} if job else set(), signal.SIGKILL)
        elif now >= self._deadline - CLIENT_LIMIT_S / 2:
            send_signal({job} if job else set(), signal.SIGTERM)
        self._remove_now(now)
        return False

    def _remove_last(self, now: float, _job: int | None, _tree: set[int]) -> bool:
        """Remove it whatever the client said: it may have died between creating the container and starting it."""
        self._remove_now(now)
        self._deadline = now + REMOVE_AGAIN_S
        self._next = self._confirm
        return False

    def _confirm(self, now: float, _job: int | None, _tree: set[int]) -> bool:
        """Remove it again until the engine says that it is gone."""
        assert self.command
        if self.command.status and now < self._deadline:
            self._remove_now(now)
        else:
            self.undone = self._commands["remove"] if self.command.status else []
            self._deadline = now + MONITOR_GRACE_S
            self._next = self._kill_rest
        return False

    def _kill_rest(self, now: float, _job: int | None, tree: set[int]) -> bool:
        """Kill what is left of the engine's own processes; its monitor still cleans up and must not be hurried."""
        if tree and now >= self._deadline:
            send_signal(tree, signal.SIGKILL)
        return not tree or now >= self._deadline + KILL_LIMIT_S


class Guardian:
    """The main loop: serves requests, starts and reaps processes, and cleans up once the worker is gone."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._buffer = b""
        self._received: list[int] = []
        self._names: dict[int, str] = {}
        self._removed_on_exit: list[Path] = []
        self._held: list[int] = []
        self._stop_plan: dict[str, Any] | None = None
        self._ladder: Ladder | ContainerLadder | None = None
        self._is_over = False
        self._ended = False
        self._wakeup = self._watch_children()

    def _watch_children(self) -> int:
        # The handler does nothing: a signal without one would not wake select() through the descriptor.
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
            self._take_next_step()
            if control in ready and not self._receive():
                self._clean_up()
        self._end_helpers()

    def _receive(self) -> bool:
        """Serve the requests that have arrived; return False once the worker is gone."""
        try:
            data, descriptors, _flags, _address = socket.recv_fds(self._control, 1 << 16, 16)
        except ConnectionError:
            return False
        for descriptor in descriptors:  # recv_fds ignores MSG_CMSG_CLOEXEC
            os.set_inheritable(descriptor, False)
        self._received += descriptors
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))
        return bool(data)

    def _obey(self, request: dict[str, Any]) -> None:
        action = request["do"]
        if action == "spawn":
            self._spawn(request)
        elif action == "stop":
            self._ladder = self._ladder or self._new_ladder()
        elif action == "hold":
            self._held.append(self._received.pop(0))
        elif action == "remove_on_exit":
            self._removed_on_exit.append(Path(request["path"]))
        elif action == "over":
            self._is_over = True
        elif action == "end":
            self._ended = True

    def _new_ladder(self, *, graceful: bool = True) -> Ladder | ContainerLadder:
        plan = self._stop_plan or {}
        if "remove" in plan:
            return ContainerLadder(plan, graceful=graceful)
        return Ladder(time.monotonic(), plan.get("below"))

    def _report(self, **report: Any) -> None:
        # If the worker is gone, the next read from it says so.
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
        with open(reader, "rb") as pipe:
            failure = pipe.read()
        if failure:
            os.waitpid(pid, 0)
            self._report(name=request["name"], **json.loads(failure))
            return
        self._names[pid] = request["name"]
        if request["name"] == JOB:
            self._stop_plan = request["stop"]
        self._report(name=request["name"], pid=pid)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                command = self._engine_command()
                if command and command.pid == ended[0]:
                    command.status = ended[1]
                name = self._names.pop(ended[0], None)
                if name is not None:
                    self._report(name=name, exited=ended[1])

    def _helpers(self) -> set[int]:
        return {pid for pid, name in self._names.items() if name != JOB}

    def _engine_command(self) -> EngineCommand | None:
        return self._ladder.command if isinstance(self._ladder, ContainerLadder) else None

    def _tree(self) -> set[int]:
        tree = descendants(os.getpid())
        # The engine's monitor and its shared pause process are descendants too, but not ours to stop.
        return {pid for pid in tree if not is_shared(pid)} if self._stop_plan else tree

    def _take_next_step(self) -> None:
        if self._ladder is None:
            return
        job = next((pid for pid, name in self._names.items() if name == JOB), None)
        tree = self._tree() - self._helpers()
        if self._ladder.step(time.monotonic(), job, tree):
            self._report(stopped=True, left=sorted(tree), undone=self._ladder.undone)
            self._ladder = None

    def _end_helpers(self) -> None:
        helpers = self._helpers()
        send_signal(helpers, signal.SIGKILL)
        for pid in helpers:
            os.waitpid(pid, 0)

    def _clean_up(self) -> None:
        """Kill the processes of an unfinished job and remove the temporary directories: the worker died."""
        if not self._is_over:
            self._kill_all()
        self._remove_directories()
        self._ended = True

    def _kill_all(self) -> None:
        self._end_container()
        send_signal(self._tree(), signal.SIGTERM)
        deadline = time.monotonic() + ORPHAN_GRACE_S
        while (tree := self._tree()) and time.monotonic() < deadline + KILL_LIMIT_S:
            if time.monotonic() >= deadline:
                send_signal(tree, signal.SIGKILL)
            time.sleep(KILL_PAUSE_S)
            self._reap()

    def _remove_directories(self) -> None:
        for path in self._removed_on_exit:
            remove_tree(path)
            if path.exists():
                self._reclaim(path)
                remove_tree(path)

    def _end_container(self) -> None:
        """Remove the container first: that still needs the engine's client and monitor."""
        self._ladder = self._new_ladder(graceful=False)
        while isinstance(self._ladder, ContainerLadder):
            self._reap()
            self._take_next_step()
            time.sleep(KILL_PAUSE_S)
        self._ladder = None

    def _reclaim(self, path: Path) -> None:
        """Take files over that belong to other users of a container, which its engine can do without root."""
        argv = (self._stop_plan or {}).get("reclaim")
        if argv:
            command = EngineCommand([*argv, str(path)], time.monotonic())
            if command.pid:
                os.waitpid(command.pid, 0)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def adopts_orphans() -> bool:
    """Whether this process is the parent of every descendant whose own parent dies."""
    answer = ctypes.c_int()
    ctypes.CDLL(None, use_errno=True).prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0)
    return bool(answer.value)


def become(request: dict[str, Any], descriptors: dict[int, int], failed: int) -> NoReturn:
    """Turn this fork into the requested program, or report why that failed."""
    path = request["cwd"]
    try:
        failed = _arrange(descriptors, failed)
        os.setsid()
        if request["terminal"]:
            fcntl.ioctl(2, termios.TIOCSCTTY, 0)  # standard input and output may be something else
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.chdir(path)
        path = request["argv"][0]
        os.execvpe(path, request["argv"], request["env"])  # noqa: S606 - argv, never a shell
    except OSError as error:
        os.write(failed, json.dumps({"errno": error.errno or errno.EINVAL, "path": path}).encode())
    except (
        ValueError
    ):  # a NUL or `=` where execve takes none; the caller has checked, and nothing may fail silently
        os.write(failed, json.dumps({"errno": errno.EINVAL, "path": path}).encode())
    finally:
        os._exit(127)


def _arrange(descriptors: dict[int, int], failed: int) -> int:
    """Put each descriptor at its number; first move all sources above the targets, which may overlap with them."""
    base = max((*descriptors, 2)) + 1
    sources = {target: fcntl.fcntl(source, fcntl.F_DUPFD, base) for target, source in descriptors.items()}
    failed = fcntl.fcntl(failed, fcntl.F_DUPFD_CLOEXEC, base)
    for target, source in sources.items():
        os.dup2(source, target, inheritable=True)
    for source in sources.values():
        os.close(source)
    return failed


def main() -> None:
    """Guard until the worker ends it, or dies."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    adopt_orphans()
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    Guardian(control).run()


if __name__ == "__main__":
    main()
