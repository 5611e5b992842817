"""One client connection: lines without losing what follows them, the rest of the stream, and whether it is open."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINE_BYTES = 1024 * 1024
CHUNK_BYTES = 256 * 1024
SEND_BYTES = 4 * 1024 * 1024
KEEPALIVE_IDLE_S = 15
KEEPALIVE_INTERVAL_S = 5
KEEPALIVE_PROBES = 3
_PROBE_WAIT_MS = 20


class LineTooLong(Exception):
    """A command line beyond the bound; it has been read to its end and thrown away."""


class ClientGone(Exception):
    """The client closed its side for good."""


class ClientConnection:
    """A stream socket as the control protocol uses it.

    Args:
        sock: a connected unix or TCP socket, blocking.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._pending = b""
        self._at_end = False
        self._is_tcp = sock.family != socket.AF_UNIX
        if self._is_tcp:
            self._notice_dead_peers()

    @property
    def at_end(self) -> bool:
        """Whether the client has sent all it will ever send."""
        return self._at_end and not self._pending

    def read_line(self) -> bytes:
        """Return the next line without its end; the last one may lack the newline, and is empty at the end.

        Raises:
            LineTooLong: more than MAX_LINE_BYTES came without a newline.
            ClientGone: the connection broke.
        """
        collected = bytearray()
        too_long = False
        for chunk in self._chunks_of_line():
            too_long = too_long or len(collected) + len(chunk) > MAX_LINE_BYTES
            if not too_long:
                collected += chunk
        if too_long:
            raise LineTooLong
        return bytes(collected).replace(b"\r", b"")

    def read_rest(self) -> Iterator[memoryview | bytes]:
        """Yield what the client sends until it ends its side.

        Raises:
            ClientGone: the connection broke.
        """
        if self._pending:
            pending, self._pending = self._pending, b""
            yield pending
        buffer = memoryview(bytearray(CHUNK_BYTES))
        while not self._at_end:
            if count := self._receive_into(buffer):
                yield buffer[:count]

    def send(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            ClientGone: the client has closed the connection.
        """
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise ClientGone from error

    def send_file(self, fd: int, offset: int) -> int:
        """Send the next part of a file, without a copy in this process.

        Returns:
            The number of bytes sent; 0 at the end of the file.

        Raises:
            ClientGone: the client has closed the connection.
            OSError: the file cannot be read there.
        """
        try:
            return os.sendfile(self._socket.fileno(), fd, offset, SEND_BYTES)
        except (BrokenPipeError, ConnectionError) as error:
            raise ClientGone from error

    def wait_while_present(self, seconds: float) -> None:
        """Sleep, but not longer than the client stays.

        Raises:
            ClientGone: the client closed both directions.
        """
        poll = select.poll()
        poll.register(self._socket, 0)
        if poll.poll(seconds * 1000):
            raise ClientGone

    def check_present(self, probe: bytes) -> bytes:
        """Make sure that a client that ended its side still reads.

        A unix socket shows the difference. TCP shows it only after something was sent: there the first byte of the
        reply goes ahead of the rest.

        Args:
            probe: the reply that will be sent.

        Returns:
            What of the reply is still to be sent.

        Raises:
            ClientGone: the client closed both directions.
        """
        if self._is_tcp:
            self.send(probe[:1])
            self.wait_while_present(_PROBE_WAIT_MS / 1000)
            return probe[1:]
        self.wait_while_present(0)
        return probe

    def close(self) -> None:
        """Close. Unread input is drained first: closing with unread data sends a reset, which can discard our reply."""
        with contextlib.suppress(OSError):
            while self._socket.recv(CHUNK_BYTES, socket.MSG_DONTWAIT):
                continue
        self._socket.close()

    def _chunks_of_line(self) -> Iterator[bytes]:
        while True:
            chunk, newline, rest = self._pending.partition(b"\n")
            self._pending = rest
            yield chunk
            if newline or self._at_end:
                return
            buffer = memoryview(bytearray(CHUNK_BYTES))
            self._pending = bytes(buffer[: self._receive_into(buffer)])

    def _receive_into(self, buffer: memoryview) -> int:
        try:
            count = self._socket.recv_into(buffer)
        except OSError as error:
            raise ClientGone from error
        self._at_end = count == 0
        return count

    def _notice_dead_peers(self) -> None:
        options = {
            socket.TCP_KEEPIDLE: KEEPALIVE_IDLE_S,
            socket.TCP_KEEPINTVL: KEEPALIVE_INTERVAL_S,
            socket.TCP_KEEPCNT: KEEPALIVE_PROBES,
            socket.TCP_NODELAY: 1,
        }
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in options.items():
            self._socket.setsockopt(socket.IPPROTO_TCP, option, value)
