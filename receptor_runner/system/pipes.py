"""Reading and writing streams: descriptors and file objects."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import os
import queue
import select
import stat
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, BinaryIO, Protocol

from receptor_runner.errors import InputFailed, OutputFailed

CHUNK_SIZE = 256 * 1024
_POLL_S = 0.2
_ABANDONED_S = 2.0
_CLOSED = "the input was closed before the end of the stream"


class Writable(Protocol):
    """What an output needs to be able to do."""

    def write(self, data: bytes, /) -> Any:
        """Take all of the bytes."""

    def flush(self) -> Any:
        """Send on what was taken."""


def never() -> bool:
    """Return False: nobody asks to stop."""
    return False


def read_descriptor(descriptor: int, stopped: Callable[[], bool] = never, wake: int = -1) -> Iterator[bytes]:
    """Yield what can be read from a descriptor until its end, or until `stopped` says so.

    Args:
        descriptor: a pipe, socket, terminal or file.
        stopped: called before each read and five times a second.
        wake: a descriptor that becomes readable when `stopped` is worth asking; -1 for none.

    Raises:
        InputFailed: reading fails.
    """
    return _read_when_ready(descriptor, lambda: os.read(descriptor, CHUNK_SIZE), stopped, wake)


def _read_when_ready(
    descriptor: int,
    read: Callable[[], bytes | None],
    stopped: Callable[[], bool],
    wake: int = -1,
    check: Callable[[], None] = lambda: None,
) -> Iterator[bytes]:
    poll = select.poll()
    for watched in (descriptor, wake):
        if watched >= 0:
            poll.register(watched, select.POLLIN)
    while not stopped():
        try:
            check()
            is_ready = any(ready == descriptor for ready, _event in poll.poll(_POLL_S * 1000))
            data = read() if is_ready else None
        except Exception as error:
            raise _reading_failed(error) from error
        if data:
            yield data
        elif data is not None:
            return


def _reading_failed(error: BaseException) -> InputFailed:
    cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return InputFailed("reading the stream failed", cause=cause or type(error).__name__)


def read_first(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Read the first piece at once; return all pieces. An error of that reading is raised when they are taken."""
    try:
        first = [next(chunks)]
    except StopIteration:
        return iter(())
    except InputFailed as error:
        return map(_failing, [error])
    return itertools.chain(first, chunks)


def _failing(error: InputFailed) -> bytes:
    raise error


def read_file(file: BinaryIO, stopped: Callable[[], bool] = never) -> Iterator[bytes]:
    """Yield what a file object of any kind gives until its end, or until `stopped` says so.

    A pipe's or socket's file is read only when something is there; bytes that such a file has read ahead before
    come with the next ones that arrive. For other files a thread reads ahead, so that a read that blocks does not
    keep `stopped` from being asked. Such a file needs one of `read1`, `read` and `readline`, or it yields lines.

    Raises:
        InputFailed: reading fails, whatever the file raises, or another thread closes the file.
    """
    descriptor = _pollable(file)
    if descriptor is None:
        return _read_by_thread(file, stopped)
    read = getattr(file, "read1", file.read)

    # Each time around, for the number of a descriptor that was closed may belong to another file by now.
    check = partial(_check_open, file)
    return _read_when_ready(descriptor, lambda: read(CHUNK_SIZE), stopped, check=check)


def _check_open(file: object) -> None:
    if getattr(file, "closed", False) is True:
        raise ValueError(_CLOSED)


def _pollable(file: object) -> int | None:
    """Return the descriptor that tells when a file has something to read, or None if there is none."""
    if not isinstance(file, io.BufferedReader | io.RawIOBase):
        return None
    try:
        return file.fileno()
    except (OSError, ValueError):
        return None


def _read_by_thread(file: BinaryIO, stopped: Callable[[], bool]) -> Iterator[bytes]:
    pieces: queue.Queue[bytes | BaseException] = queue.Queue(maxsize=8)
    given_up = threading.Event()
    threading.Thread(target=_read_ahead, args=(file, pieces, given_up), daemon=True).start()
    try:
        while not stopped():
            piece = _next_piece(file, pieces)
            if isinstance(piece, BaseException):
                raise _reading_failed(piece) from piece
            if piece:
                yield piece
            elif piece is not None:
                return
    finally:
        given_up.set()


def _next_piece(file: object, pieces: queue.Queue[bytes | BaseException]) -> bytes | BaseException | None:
    """Return the next piece or what went wrong; None where nothing has come yet."""
    try:
        return pieces.get(timeout=_POLL_S)
    except queue.Empty:
        # A read that blocks may never notice that its file was closed.
        return ValueError(_CLOSED) if getattr(file, "closed", False) is True else None


def _read_ahead(
    file: BinaryIO, pieces: queue.Queue[bytes | BaseException], given_up: threading.Event
) -> None:
    read = _reading_method(file)
    piece: bytes | BaseException = b"-"
    while piece and not isinstance(piece, BaseException):
        try:
            piece = _as_bytes(read())
        # Whatever it is, the thread that waits for pieces has to learn of it, or it would wait for ever.
        except BaseException as error:
            piece = error
        while not given_up.is_set():
            with contextlib.suppress(queue.Full):
                pieces.put(piece, timeout=_POLL_S)
                break
        else:
            return


def _reading_method(file: Any) -> Callable[[], Any]:
    """Return the method that reads the next piece, the one that returns soonest first."""
    for name in ("read1", "read"):
        if callable(read := getattr(file, name, None)):
            return partial(read, CHUNK_SIZE)
    if callable(readline := getattr(file, "readline", None)):
        return partial(readline)
    lines: list[Iterator[Any]] = []

    def next_line() -> Any:
        lines[:] = lines or [iter(file)]  # late: what cannot be iterated is an error of the first read
        return next(lines[0], b"")

    return next_line


def _as_bytes(piece: Any) -> bytes:
    """Return a piece as bytes: a file that was opened as text gives text, and None at its end is an end too."""
    if isinstance(piece, str):
        return piece.encode("utf-8", "surrogateescape")
    return bytes(piece or b"")


class DescriptorOutput:
    """A descriptor as an output that writes at once and whole."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes, /) -> None:
        """Write all of the bytes."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def flush(self) -> None:
        """Do nothing: every write is out already."""


class AbandonableOutput(DescriptorOutput):
    """A descriptor as an output that gives up when nobody reads and the worker has to end.

    Only a pipe can give up. It is opened once more, non-blocking: other holders of the pipe are not affected.

    Args:
        descriptor: where the bytes go.
        ending: returns whether the worker has to end.
    """

    def __init__(self, descriptor: int, ending: Callable[[], bool]) -> None:
        super().__init__(_opened_again(descriptor) or descriptor)
        self._ending = ending

    def write(self, data: bytes, /) -> None:
        """Write all of the bytes.

        Raises:
            TimeoutError: the worker has to end, and nobody has read for two seconds.
        """
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                self._wait()

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        waited_s = 0.0
        while not poll.poll(_POLL_S * 1000):
            waited_s = waited_s + _POLL_S if self._ending() else 0
            if waited_s > _ABANDONED_S:
                raise TimeoutError(errno.ETIMEDOUT, "nobody reads")


def _opened_again(descriptor: int) -> int | None:
    """Return a non-blocking descriptor of the same pipe's writing end; None for anything but a pipe."""
    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    return None


def write_all(output: Writable, chunks: Iterator[bytes]) -> None:
    """Write every chunk and flush.

    Raises:
        OutputFailed: the reader is gone or the disk is full.
    """
    try:
        for chunk in chunks:
            output.write(chunk)
        output.flush()
    except (OSError, ValueError) as error:
        raise output_failed(error) from error


def output_failed(error: Exception) -> OutputFailed:
    """Return the error for an output that takes no more."""
    cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return OutputFailed("writing the stream failed", cause=cause)
