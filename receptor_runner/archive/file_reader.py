"""Reads what was listed, and makes entries of an archive of it: the work that processes share when they pack."""

from __future__ import annotations

import errno
import os
import stat

from receptor_runner.archive.compression import Compression
from receptor_runner.archive.segment import Segment
from receptor_runner.archive.zip_format import CHUNK_SIZE, SMALL_SIZE
from receptor_runner.errors import MissingInput

TYPE_CHECKING = False  # the second process starts in half of the time without `typing`
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import NoReturn

_SAFELY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_GONE = {errno.ELOOP, errno.ENXIO}  # opened with those flags: a link, or a socket, or a FIFO
_HEADERS_SIZE = 256  # about what an entry takes in memory besides its content
_PIECE_SIZE = 256 * 1024  # handing it over costs little for so much, and several of them may wait in memory

Listed = tuple[str, str, bool]
"""What was listed: its name in the archive, its path, and whether the listing says that it is a regular file."""


class Piece:
    """Consecutive entries of an archive, ready to be written.

    Attributes:
        segment: the entries.
        end: where in what was listed the next one begins.
        skipped: `name: reason` for what cannot travel.
        is_large: whether the next one is a file that is too large for memory; no piece covers it.
    """

    __slots__ = ("end", "is_large", "segment", "skipped")

    def __init__(self, segment: Segment, end: int, skipped: list[str], is_large: bool) -> None:
        self.segment = segment
        self.end = end
        self.skipped = skipped
        self.is_large = is_large


def read_piece(compression: Compression, listed: Sequence[Listed], start: int) -> Piece:
    """Read and compress what was listed, until it is enough for a piece.

    Args:
        compression: how it is compressed.
        listed: what was listed.
        start: where in it to begin.

    Raises:
        MissingInput: a file is there but cannot be read.
    """
    segment = Segment(compression)
    skipped: list[str] = []
    size = 0
    for number in range(start, len(listed)):
        name, path, is_file = listed[number]
        try:
            # the kind is known from the listing: a file needs no stat of its own before it is opened
            if is_file:
                status, content = _read_small(path)
                if content is None:
                    return Piece(segment, number, skipped, is_large=True)
                segment.add(name, status.st_mode, status.st_mtime, content)
                size += len(content)
            else:
                _add_other(segment, name, path, skipped)
        except FileNotFoundError:
            skipped.append(f"{name}: vanished")
        size += _HEADERS_SIZE
        if size >= _PIECE_SIZE:
            return Piece(segment, number + 1, skipped, is_large=False)
    return Piece(segment, len(listed), skipped, is_large=False)


def open_large(path: str) -> tuple[int, os.stat_result]:
    """Open a file that is too large for memory; return its descriptor, and what it is.

    Raises:
        FileNotFoundError: it vanished.
        MissingInput: it cannot be read.
    """
    try:
        descriptor = os.open(path, _SAFELY)
    except OSError as error:
        _fail(path, error)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):  # one that was swapped for a FIFO or a device counts as gone
        os.close(descriptor)
        raise FileNotFoundError
    return descriptor, status


def chunks(descriptor: int, path: str) -> Iterator[bytes]:
    """Yield the content of a large file.

    Raises:
        MissingInput: it cannot be read.
    """
    try:
        while chunk := os.read(descriptor, CHUNK_SIZE):
            yield chunk
    except OSError as error:
        _fail(path, error)


def _add_other(segment: Segment, name: str, path: str, skipped: list[str]) -> None:
    """Add a directory or a link; anything else cannot travel."""
    status = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - pathlib is slow to import
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        segment.add(f"{name}/", mode, status.st_mtime)
    elif stat.S_ISLNK(mode):
        segment.add_packed(name, stat.S_IFLNK | 0o777, None, _link(path), None)
    else:
        skipped.append(f"{name}: {_kind(mode)}")


def _read_small(path: str) -> tuple[os.stat_result, bytes | None]:
    """Return what a file is, and its content: None if that is too large, has just grown, or is no regular file's."""
    try:
        descriptor = os.open(path, _SAFELY)
        try:
            status = os.fstat(descriptor)
            size = status.st_size
            if size > SMALL_SIZE or not stat.S_ISREG(status.st_mode):
                return status, None
            content = os.read(descriptor, size + 1)
            if len(content) == size:
                return status, content
            return status, _rest(content, descriptor, size)
        finally:
            os.close(descriptor)
    except OSError as error:
        _fail(path, error)


def _rest(read: bytes, descriptor: int, size: int) -> bytes | None:
    """Return the content of a file of this size, or None if there is more: network file systems give it in pieces."""
    while len(read) < size and (piece := os.read(descriptor, size + 1 - len(read))):
        read += piece
    return read if len(read) <= size else None


def _link(path: str) -> bytes:
    try:
        return os.readlink(os.fsencode(path))
    except OSError as error:
        _fail(path, error)


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a FIFO"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def _fail(path: str, error: OSError) -> NoReturn:
    """Raise what the system says about reading a file as our error; that it vanished is left to the caller."""
    if isinstance(error, FileNotFoundError):
        raise error
    if error.errno in _GONE:
        raise FileNotFoundError(path) from error
    hint = "make it readable, or move it out of the private data directory"
    raise MissingInput(f"cannot read {path}", cause=error.strerror, hint=hint) from error
