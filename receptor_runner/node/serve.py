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

from receptor_runner.node.connection import Connection
from receptor_runner.node.listeners import lock_file, open_listeners
from receptor_runner.node.runners import Runners
from receptor_runner.node.session import run_session
from receptor_runner.node.state import NodeState
from receptor_runner.node.units import UnitStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from receptor_runner.node.settings import NodeSettings

_IDLE_CHECK_S = 1.0
_ACCEPT_PAUSE_S = 0.1
_STOPPING = (signal.SIGTERM, signal.SIGINT)
_log = logging.getLogger("receptor_runner.node")


def serve(
    settings: NodeSettings, *, idle_exit_s: float | None = None, ready: Callable[[], None] | None = None
) -> None:
    """Run the node until it is told to stop, or until nobody needs it any more.

    SIGTERM and SIGINT end it; command runners go on and are found again by the next node on the same data
    directory.

    Args:
        settings: what to serve and where.
        idle_exit_s: leave after so many seconds without any unit and without any client; None: stay.
        ready: called once clients can connect.

    Raises:
        NodeUnavailable: another node holds the socket or the data directory.
        ConfigError: a socket cannot be opened as configured.
    """
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(_stop_signals())
        listeners = stack.enter_context(open_listeners(settings.control_services))
        units = settings.data_dir / settings.node_id
        store = UnitStore(units)
        stack.enter_context(lock_file(units.with_name(f"{units.name}.lock"), f"data directory {units}"))
        state = NodeState(settings=settings, store=store, runners=Runners())
        state.runners.resume(store)
        if ready is not None:
            ready()
        _Server(state, listeners, idle_exit_s).run(stop)


@contextlib.contextmanager
def _stop_signals() -> Iterator[int]:
    """Provide a descriptor that becomes readable when the node is told to stop.

    The interpreter itself writes to it: a handler of ours would not run while the accept loop waits, had the signal
    come just before.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    previous = {}
    if threading.current_thread() is threading.main_thread():
        previous = {number: signal.signal(number, _nothing) for number in _STOPPING}
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield reader
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

    def __init__(self, state: NodeState, listeners: list[socket.socket], idle_exit_s: float | None) -> None:
        self._state = state
        self._listeners = {listener.fileno(): listener for listener in listeners}
        self._idle_exit_s = idle_exit_s
        self._lock = threading.Lock()
        self._clients = 0
        self._quiet_since = time.monotonic()

    def run(self, stop: int) -> None:
        poll = select.poll()
        for fd in (stop, *self._listeners):
            poll.register(fd, select.POLLIN)
        timeout_ms = None if self._idle_exit_s is None else min(_IDLE_CHECK_S, self._idle_exit_s) * 1000
        while not self._is_unneeded():
            for fd, _event in poll.poll(timeout_ms):
                if fd != stop:
                    self._accept(self._listeners[fd])
                elif set(os.read(stop, 512)) & set(_STOPPING):
                    return

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
            with contextlib.closing(Connection(client)) as connection:
                run_session(self._state, connection)
        except Exception:
            _log.exception("a control session failed")
        finally:
            self._note_end()

    def _note_end(self) -> None:
        with self._lock:
            self._clients -= 1
            self._quiet_since = time.monotonic()

    def _is_unneeded(self) -> bool:
        if self._idle_exit_s is None:
            return False
        with self._lock:
            quiet_s = 0.0 if self._clients else time.monotonic() - self._quiet_since
        return quiet_s >= self._idle_exit_s and self._state.store.is_empty()
