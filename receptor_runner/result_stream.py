"""The stream from a worker to process, as it is written: collected, in order, and never silent for too long."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

from receptor_runner.errors import ConfigError
from receptor_runner.stream.encoder import EOF_LINE, KEEPALIVE_LINE, encode_archive, encode_line
from receptor_runner.system.cancel import CancelToken
from receptor_runner.system.pipes import Writable

COALESCE_S = 0.03
"""For how long small writes are collected: a unit's output file is written through to the disk at every write."""

COALESCE_SIZE = 128 * 1024

KEEPALIVE_VARIABLE = "ANSIBLE_RUNNER_KEEPALIVE_SECONDS"


def keepalive_interval(given: float | None) -> float:
    """Return after how many seconds of silence a keepalive is sent; 0 for never.

    Args:
        given: what the caller says, or None to let the environment variable decide.

    Raises:
        ConfigError: the variable is not a number.
    """
    if given is not None:
        return max(given, 0)
    text = os.environ.get(KEEPALIVE_VARIABLE) or "0"
    try:
        return max(float(text), 0)
    except ValueError as error:
        raise ConfigError(
            f"{KEEPALIVE_VARIABLE} is `{text}`", cause="a number of seconds is wanted"
        ) from error


class ResultStream:
    """The stream to process: whole lines, collected into few writes, with signs of life while nothing happens.

    Args:
        output: where the bytes go.
        keepalive_s: seconds of silence after which a keepalive is sent; 0 for never.
        stop: asked to stop the job when nobody reads any more.

    Attributes:
        failure: why the stream could not be written, if it could not.
        finished: whether the end marker is out.
    """

    def __init__(self, output: Writable, *, keepalive_s: float = 0, stop: CancelToken | None = None) -> None:
        self._output = output
        self._keepalive_s = max(keepalive_s, COALESCE_S) if keepalive_s > 0 else 0
        self._stop = stop
        self._waiting = bytearray()
        self._written_at = time.monotonic()
        self._changed = threading.Condition(threading.RLock())
        self._closed = False
        self.failure: Exception | None = None
        self.finished = False
        self._thread = threading.Thread(target=self._serve, name="result-stream", daemon=True)
        self._thread.start()

    def status(self, status: dict[str, Any]) -> None:
        """Send a status line."""
        self._line(encode_line(status))

    def event(self, event: dict[str, Any]) -> None:
        """Send an event."""
        self._line(encode_line(event))

    def remark(self, text: str) -> None:
        """Send a line that is no part of the job's output; old peers pass over it."""
        self._line(encode_line({"worker_output": text}))

    def lacking(self, numbers: Sequence[int]) -> None:
        """Answer which digests of a question are lacking, by their numbers in it; 0 is the first."""
        self._line(encode_line({"lacking": list(numbers)}))

    def archive(self, size: int, chunks: Iterable[bytes]) -> None:
        """Send an archive; no other line can land inside of it."""
        with self._changed:
            if self._closed:
                return
            for piece in encode_archive(size, chunks):
                self._waiting += piece
                if len(self._waiting) >= COALESCE_SIZE:
                    self._write_out()

    def finish(self) -> None:
        """Send the end marker and everything that waits; nothing can be sent afterwards."""
        with self._changed:
            if not self._closed:
                self._waiting += EOF_LINE
                self._write_out()
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        self.finished = True

    def _line(self, line: bytes) -> None:
        with self._changed:
            if self._closed:
                return
            is_first = not self._waiting
            self._waiting += line
            if self._silent_for() >= COALESCE_S or len(self._waiting) >= COALESCE_SIZE:
                self._write_out()
            elif is_first:  # when it is due does not change with what joins it
                self._changed.notify_all()

    def _write_out(self) -> None:
        data, self._waiting = bytes(self._waiting), bytearray()
        self._written_at = time.monotonic()
        if self.failure is not None:
            return
        try:
            self._output.write(data)
            self._output.flush()
        except Exception as error:  # a caller's own output may raise anything; its job must end for all of it
            self.failure = error
            if self._stop:
                self._stop.request()

    def _serve(self) -> None:
        """Write out what waits when its time has come, and keepalives."""
        with self._changed:
            while not self._closed:
                self._changed.wait(self._due_in())
                if self._waiting and self._silent_for() >= COALESCE_S:
                    self._write_out()
                elif self._keepalive_s and self._silent_for() >= self._keepalive_s and not self._closed:
                    self._waiting += KEEPALIVE_LINE
                    self._write_out()

    def _silent_for(self) -> float:
        return time.monotonic() - self._written_at

    def _due_in(self) -> float | None:
        """Return the seconds until something is to be done, or None if only a new line can bring that."""
        if self._waiting:
            return max(COALESCE_S - self._silent_for(), 0)
        if not self._keepalive_s:
            return None
        return min(max(self._keepalive_s - self._silent_for(), 0), threading.TIMEOUT_MAX)
