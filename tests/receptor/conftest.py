"""Sockets that misbehave, for what a real node cannot be made to do."""

from __future__ import annotations

import contextlib
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
