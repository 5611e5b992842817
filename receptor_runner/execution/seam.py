"""What the worker hands to execution, and what it gets back while a job runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol


class Sink(Protocol):
    """Where a running job's news goes, in order; each call returns when the news is on its way."""

    def status(self, status: dict[str, Any]) -> None:
        """Take a status line: `{"status": ..., "runner_ident": ...}` and more."""

    def event(self, event: dict[str, Any]) -> None:
        """Take one event, complete with counter, uuid and stdout."""


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


def artifact_directory(private_data_dir: Path, artifact_dir: str | None, ident: str) -> Path:
    """Return the directory a job's artifacts go to on the worker."""
    base = Path(artifact_dir) if artifact_dir else private_data_dir / "artifacts"
    return base / ident
