"""A token that carries one request, to cancel a job or to stop following it, to whoever waits."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
import weakref
from collections.abc import Sequence

_SLICE_S = 0.5


class CancelToken:
    """A request that is made at most once and never taken back.

    One class for both requests that a job knows: its `cancel` token stops the job, its `detach` token stops the
    following. `request` may be called from a signal handler and from any thread. Descriptors are opened only for a
    token that somebody waits on, and closed with it.
    """

    def __init__(self) -> None:
        self.requested = False
        self._lock = threading.Lock()
        self._pipe: tuple[int, int] | None = None
        self._closing: weakref.finalize[[int, int], CancelToken] | None = None

    def request(self) -> None:
        """Make the request; making it again changes nothing."""
        # No lock: a signal handler may interrupt the very code that holds it. The flag comes first; `fileno` looks at
        # it after it has published the pipe, so at least one of the two writes.
        self.requested = True
        if self._pipe is not None:
            self._wake(self._pipe[1])

    def wait(self, seconds: float) -> bool:
        """Wait for the request for at most `seconds`; return whether it was made."""
        return wait_any([self], seconds)

    def fileno(self) -> int:
        """Return a descriptor that becomes readable, and stays so, once the request is made."""
        with self._lock:
            if self._pipe is None:
                reader, writer = os.pipe()
                os.set_blocking(writer, False)
                self._closing = weakref.finalize(self, _close, reader, writer)
                self._pipe = (reader, writer)
                if self.requested:
                    self._wake(writer)
            return self._pipe[0]

    def close(self) -> None:
        """Close the descriptors; the request, if it was made, stays made."""
        with self._lock:
            self._pipe = None
            if self._closing:
                self._closing()

    @staticmethod
    def _wake(writer: int) -> None:
        with contextlib.suppress(BlockingIOError):  # full of earlier requests: it is readable
            os.write(writer, b"!")


def wait_any(tokens: Sequence[CancelToken], seconds: float) -> bool:
    """Wait until any of the requests is made, for at most `seconds`; return whether one was."""
    poll = select.poll()
    for token in tokens:
        poll.register(token.fileno(), select.POLLIN)
    end = time.monotonic() + seconds
    # In slices: Python runs the handler of a signal that arrives just before the system call only after that call.
    while not any(token.requested for token in tokens) and (left := end - time.monotonic()) > 0:
        poll.poll(min(left, _SLICE_S) * 1000)
    return any(token.requested for token in tokens)


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
