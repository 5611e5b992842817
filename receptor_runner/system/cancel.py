"""The request to stop a job, for signal handlers and threads alike."""

from __future__ import annotations

import os


class StopRequest:
    """A request to stop the job, which wakes whoever waits on `fileno()`.

    Safe to call from a signal handler and from any thread.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self.requested = False

    def request(self) -> None:
        """Ask for the stop; asking again changes nothing."""
        if not self.requested:
            self.requested = True
            os.write(self._writer, b"!")

    def fileno(self) -> int:
        """Return a descriptor that becomes readable, and stays so, once the stop is requested."""
        return self._reader

    def close(self) -> None:
        """Give both descriptors back."""
        os.close(self._reader)
        os.close(self._writer)
