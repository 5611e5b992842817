"""Sockets that misbehave, for what a real node cannot be made to do."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Misbehaviour = Callable[[socket.socket], None]


class Impostor:
    """A socket at which something answers that is no healthy node."""

    def __init__(self, path: Path, manners: Misbehaviour) -> None:
        self.path = path
        self._manners = manners
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            with contextlib.suppress(OSError):
                self._manners(connection)

    def close(self) -> None:
        """Close the socket and every connection."""
        self._listener.close()
        for connection in self._connections:
            connection.close()


@pytest.fixture
def impostor(short_dir: Path) -> Iterator[Callable[[Misbehaviour], str]]:
    """Make sockets that misbehave in a given way; each call returns an address."""
    made: list[Impostor] = []

    def make(manners: Misbehaviour) -> str:
        made.append(Impostor(short_dir / f"impostor{len(made)}.sock", manners))
        return str(made[-1].path)

    yield make
    for one in made:
        one.close()


class HandlerRan(Exception):
    """The signal's handler has run."""


LateSignal = contextlib.AbstractContextManager[None]


@pytest.fixture
def late_signal() -> Callable[[], LateSignal]:
    """A signal whose handler raises, and which interrupts no wait of the system, as one that comes just before it.

    Such is one that another thread takes: its handler runs in the main thread, once that runs Python again.
    """

    @contextlib.contextmanager
    def sending() -> Iterator[None]:
        done = threading.Event()

        def send() -> None:
            while not done.wait(0.2):
                signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

        def handle(_number: int, _frame: object) -> None:
            if not done.is_set():
                done.set()
                raise HandlerRan

        previous = signal.signal(signal.SIGUSR1, handle)
        sender = threading.Thread(target=send)
        sender.start()
        try:
            yield
        finally:
            done.set()
            sender.join(10)
            signal.signal(signal.SIGUSR1, previous)

    return sending
