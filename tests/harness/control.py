"""A raw client of a control socket: bytes in, bytes out."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any, Self

DEADLINE_S = 30.0


class ControlClient:
    """A control connection whose greeting has been read.

    Raises:
        OSError: nobody serves the socket.
    """

    def __init__(self, address: Path | tuple[str, int]) -> None:
        family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(DEADLINE_S)
        try:
            self.socket.connect(os.fspath(address) if isinstance(address, Path) else address)
        except OSError:
            self.socket.close()
            raise
        self._file = self.socket.makefile("rb")
        self.greeting = self.read_line()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.socket.sendall(data)

    def read_line(self) -> bytes:
        """Read one line."""
        return self._file.readline()

    def read_all(self) -> bytes:
        """Read until the node closes the connection."""
        return self._file.read()

    def read(self, count: int) -> bytes:
        """Read so many bytes."""
        return self._file.read(count)

    def half_close(self) -> None:
        """Say that no more bytes will come from us."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self.socket.close()

    def ask(self, line: bytes) -> bytes:
        """Send a line and read one."""
        self.send(line + b"\n")
        return self.read_line()


def ask_node(address: Path | tuple[str, int], command: str) -> Any:
    """Send one command to a node and return its JSON answer.

    Raises:
        OSError: nobody serves the socket.
        ValueError: the answer is not JSON.
    """
    with ControlClient(address) as client:
        return json.loads(client.ask(command.encode()))
