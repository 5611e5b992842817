"""The life of the node: sockets and locks, one thread for each client, the end."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

from receptor_runner.node.connection import ClientConnection
from receptor_runner.node.listeners import lock_file, open_listeners
from receptor_runner.node.runner_table import RunnerTable
from receptor_runner.node.session import run_session
from receptor_runner.node.state import NodeState
from receptor_runner.node.units import UnitStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from receptor_runner.node.lifetime import JobLifetime
    from receptor_runner.node.settings import NodeSettings

_ACCEPT_PAUSE_S = 0.1
_STOPPING = (signal.SIGTERM, signal.SIGINT)
_log = logging.getLogger("receptor_runner.node")


def serve(
    settings: NodeSettings,
    *,
    lifetime: JobLifetime | None = None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Run the node until a signal stops it, or until it is no longer needed.

    SIGTERM and SIGINT end it; command runners go on and are found again by the next node on the same data
    directory.

    Args:
        settings: what to serve and where.
        lifetime: decides when the node is no longer needed; None: never.
        ready: called once clients can connect.

    Raises:
        NodeUnavailable: another node holds the socket or the data directory.
        ConfigError: a socket cannot be opened as configured.
    """
    with contextlib.ExitStack() as stack:
        stop, wake = stack.enter_context(_stop_signals())
        listeners = stack.enter_context(open_listeners(settings.control_services))
        units = settings.data_dir / settings.node_id
        store = UnitStore(units)
        lock = lock_file(units.with_name(f"{units.name}.lock"), f"data directory {units}")
        stack.enter_context(lock)
        state = NodeState(settings=settings, store=store, runners=RunnerTable(), started_ns=time.time_ns())
        state.runners.resume(store)
        ready()
        _Server(state, listeners, lifetime, wake).run(stop)


@contextlib.contextmanager
def _stop_signals() -> Iterator[tuple[int, int]]:
    """Provide a descriptor that becomes readable when a signal stops the node, and one that wakes its reader.

    The interpreter itself writes to it: a handler of ours would not run while the accept loop waits, had the signal
    come just before.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    previous = {}
    if threading.current_thread() is threading.main_thread():
        previous = {number: signal.signal(number, _nothing) for number in _STOPPING}
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield reader, writer
    finally:
        if previous:
            signal.set_wakeup_fd(-1)
        for number, handler in previous.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)


def _nothing(_number: int, _frame: object) -> None:
    """Handle a signal: what it means is read from the descriptor."""


class _Server:
    """The accept loop and the count of clients."""

    def __init__(
        self,
        state: NodeState,
        listeners: list[socket.socket],
        lifetime: JobLifetime | None,
        wake: int,
    ) -> None:
        self._state = state
        self._listeners = {listener.fileno(): listener for listener in listeners}
        self._lifetime = lifetime
        self._wake = wake
        self._lock = threading.Lock()
        self._clients = 0

    def run(self, stop: int) -> None:
        starter = self._lifetime.fileno() if self._lifetime else None
        poll = select.poll()
        for fd in (stop, *self._listeners, *([] if starter is None else [starter])):
            poll.register(fd, select.POLLIN)
        timeout_ms = self._lifetime.CHECK_S * 1000 if self._lifetime else None
        while not self._is_over():
            for fd, _event in poll.poll(timeout_ms):
                if fd == stop and set(os.read(stop, 512)) & set(_STOPPING):
                    return
                if fd == starter and self._lifetime:
                    poll.unregister(fd)
                    self._lifetime.note_starter_gone()
                elif fd in self._listeners:
                    self._accept(self._listeners[fd])

    def _is_over(self) -> bool:
        with self._lock:
            clients = self._clients
        return self._lifetime is not None and self._lifetime.is_over(self._state.store, clients)

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _address = listener.accept()
            client.setblocking(True)
        except OSError as error:
            # Out of descriptors: the client waits in the queue until one is free.
            _log.error("cannot accept a client: %s", error)
            time.sleep(_ACCEPT_PAUSE_S)
            return
        with self._lock:
            self._clients += 1
        try:
            threading.Thread(target=self._serve_client, args=(client,), daemon=True).start()
        except RuntimeError as error:
            _log.error("cannot serve a client: %s", error)
            client.close()
            self._note_end()

    def _serve_client(self, client: socket.socket) -> None:
        try:
            with contextlib.closing(ClientConnection(client)) as connection:
                run_session(self._state, connection)
        except Exception:
            _log.exception("a control session failed")
        finally:
            self._note_end()

    def _note_end(self) -> None:
        with self._lock:
            self._clients -= 1
        # Wakes the accept loop, which may have no further reason to stay, or may have left already.
        with contextlib.suppress(OSError):
            os.write(self._wake, b"\0")
