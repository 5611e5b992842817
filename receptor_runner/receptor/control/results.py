"""The results of a unit, read from an offset and polled."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from typing import Any, Self

from receptor_runner.errors import Unreachable


class Results:
    """The results of a unit, as they arrive."""

    def __init__(self, stream: socket.socket, file: Any) -> None:
        self._stream = stream
        self._stream.setblocking(False)
        self._poll = select.poll()
        self._poll.register(stream, select.POLLIN)
        self._file = file
        # Read-ahead of the header: polling the socket does not show these bytes.
        self._early: bytes = file.read1(len(head)) if (head := file.peek(1)) else b""

    def read(self, wait_s: float, size: int = 256 * 1024) -> bytes | None:
        """Return the next bytes, b"" at the end, or None if nothing arrived in time.

        Args:
            wait_s: how long to wait.
            size: how many bytes at most.

        Raises:
            Unreachable: the connection broke.
        """
        if self._early:
            early, self._early = self._early, b""
            return early
        try:
            if not self._has_pending() and not self._poll.poll(wait_s * 1000):
                return None
            return self._stream.recv(size)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None
        except (
            ConnectionResetError
        ):  # the daemon closed it with bytes of ours unread: its way to end results too
            return b""
        except OSError as error:
            raise Unreachable("lost the connection to the node", cause=str(error)) from error

    def _has_pending(self) -> bool:
        return isinstance(self._stream, ssl.SSLSocket) and self._stream.pending() > 0

    def close(self) -> None:
        """Close the connection; the unit goes on."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
