"""The process that owns the nodes of a test run, so that they end with it, however it ends.

Pytest starts it with a socket as its standard input. It reads one line of JSON, what to start; answers with one line,
where the nodes are or why they do not start; and stops everything once the socket closes or pytest is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from receptor_runner.errors import RunnerError
from receptor_runner.pytest_plugin.services import Service, SingleNode
from receptor_runner.receptor.control.protocol import Control, Deadlines
from receptor_runner.receptor.jobs.unit import Unit
from receptor_runner.system.directories import PREFIX
from receptor_runner.system.files import remove_tree
from receptor_runner.system.processes import adopt_orphans, descendants
from receptor_runner.system.signals import STOPPING

_REAP_S = 1.0
_START_ABORT_S = 5.0
_TERMINATE_S = 2.0
_KILL_S = 10.0
_PAUSE_S = 0.05
_LONGEST_TEMPORARY = 40
"""A daemon binds its sockets by their full paths, of which a socket's address holds 107 bytes."""


def main(argv: list[str]) -> int:
    """Serve one request until its sender is gone.

    Args:
        argv: the process id of pytest.
    """
    # Orphans become children of this process, so that everything below a node is found when it is time to kill.
    adopt_orphans()
    with _wakeup() as woken, _watched(int(argv[0])) as parent, socket.socket(fileno=os.dup(0)) as client:
        _close_standard_input()
        request = json.loads(client.makefile("rb").readline() or b"null")
        if request is None:
            return 0
        directory = _make_directory()
        supervisor = Supervisor(request, directory)
        try:
            supervisor.run(client, [fd for fd in (woken, parent) if fd is not None])
        finally:
            supervisor.stop()
    return 0


def _close_standard_input() -> None:
    # Whatever the nodes start must not hold the socket too: pytest would not see it close.
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)


def _make_directory() -> Path:
    usual = tempfile.gettempdir()
    place = usual if len(usual) <= _LONGEST_TEMPORARY else "/tmp"  # noqa: S108 - a directory of our own in it
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}pytest-", dir=place))


@contextlib.contextmanager
def _wakeup() -> Iterator[int]:
    """Provide a descriptor that becomes readable when a signal asks this process to end."""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    # Also where a shell's background job, and so pytest, ignores Ctrl-C: what is ignored here would be ignored by the
    # jobs too, and a job is stopped by SIGINT.
    for number in STOPPING:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(-1)
        os.close(reader)
        os.close(writer)


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[int | None]:
    """Provide a descriptor that becomes readable when a process ends; None where the kernel has no such thing.

    The socket alone does not tell: a process that a test forked holds it too, and may outlive pytest.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class Supervisor:
    """Starts a service, waits until nobody needs it, and leaves nothing of it.

    Args:
        request: what to start: `mesh`, as `mesh_service.describe` takes it, or `program`, the path of the daemon for
            one node, None for the embedded node.
        directory: holds all files; it is removed at the end.
    """

    def __init__(self, request: Mapping[str, Any], directory: Path) -> None:
        self._request = request
        self._service: Service | None = None
        self._directory = directory
        self._starting: threading.Thread | None = None
        self._sockets: list[str] = []

    def run(self, client: socket.socket, others: list[int]) -> None:
        """Start the service, report to the client, and return when it or one of the others becomes readable."""
        # In a thread: a mesh takes its time, and pytest may be killed meanwhile.
        self._starting = threading.Thread(target=self._start, args=(client,), daemon=True)
        self._starting.start()
        poll = select.poll()
        for descriptor in (client.fileno(), *others):
            poll.register(descriptor, select.POLLIN)
        while not poll.poll(_REAP_S * 1000):
            if not self._starting.is_alive():
                _reap()

    def _start(self, client: socket.socket) -> None:
        try:
            self._service = _service_of(self._request, self._directory)
            nodes = self._service.start()
            self._sockets = list(dict.fromkeys(node["socket"] for node in nodes))
            answer: dict[str, Any] = {"directory": str(self._directory), "nodes": nodes}
        except RunnerError as error:
            answer = {"what": error.what, "cause": error.cause, "hint": error.hint}
        except Exception as error:
            answer = {"what": f"{type(error).__name__}: {error}", "cause": None, "hint": None}
        with contextlib.suppress(OSError):
            client.sendall(json.dumps(answer).encode() + b"\n")

    def stop(self) -> None:
        """Stop the jobs, the nodes, and whatever is left of both; remove the directory."""
        if self._starting and self._starting.is_alive():
            _kill_descendants()
            self._starting.join(_START_ABORT_S)
        # Jobs first and by their nodes: a worker that is told to stop also removes its containers.
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(_release_units, self._sockets))
        if self._service:
            with contextlib.suppress(RunnerError, OSError):
                self._service.stop()
        _kill_descendants()
        remove_tree(self._directory)


def _service_of(request: Mapping[str, Any], directory: Path) -> Service:
    if "mesh" in request:
        from receptor_runner.pytest_plugin.mesh_service import MeshOfDaemons, describe

        return MeshOfDaemons(describe(request["mesh"]), directory)
    return SingleNode(request["program"], directory)


def _release_units(address: str) -> None:
    with contextlib.suppress(RunnerError):
        control = Control(address, deadlines=Deadlines(connect_s=2, reply_s=5, cancel_s=15))
        units = [Unit(control, unit_id) for unit_id in control.units()]
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(Unit.discard, units))


def _kill_descendants() -> None:
    """Terminate what runs below this process, and kill what is left after a moment, until there is nothing."""
    started = time.monotonic()
    for pid in descendants(os.getpid()):
        _send(pid, signal.SIGTERM)
    while time.monotonic() < started + _KILL_S:
        _reap()
        left = descendants(os.getpid())
        if not left:
            return
        if time.monotonic() > started + _TERMINATE_S:
            for pid in left:
                _send(pid, signal.SIGKILL)
        time.sleep(_PAUSE_S)


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _reap() -> None:
    """Collect the children that have ended, among them those which a parent in between left behind."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
