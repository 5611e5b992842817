"""Files on their way into an archive: read one by one, and compressed by several threads where that pays."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from typing import NoReturn, Self

from receptor_runner.errors import MissingInput
from receptor_runner.stream.compression import Compression
from receptor_runner.stream.parallel import ordered_map, processors
from receptor_runner.stream.segment import Meta, Segment
from receptor_runner.stream.zip_format import CHUNK_SIZE, SMALL_SIZE
from receptor_runner.stream.zip_writer import ZipWriter

_SAFELY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_GONE = {errno.ELOOP, errno.ENXIO}  # opened with those flags: a link, or a socket, or a FIFO
_HEADERS_SIZE = 256  # about what an entry takes in memory besides its content
_PART_SIZE = 256 * 1024  # handing it over costs little for so much, and several of them may wait in memory
_WORTH_THREADS = 1 << 20  # to compress so much takes as long as to import what threads need

Found = tuple[str, os.DirEntry[str]]
"""What was found in a directory, behind its name in the archive."""


def pack_found(archive: ZipWriter, found: Iterable[Found | str], skipped: list[str]) -> None:
    """Add what was found to an archive, in its order.

    Everything is read in the caller's thread: threads would hand over the interpreter's lock at each short system call,
    and gain nothing. As soon as there is enough to compress, they help with that; the archive is the same either way.

    Args:
        archive: what it is added to.
        found: what was found, and `name: reason` for what cannot travel.
        skipped: takes `name: reason` for all that cannot travel.

    Raises:
        MissingInput: a file is there but cannot be read.
        OSError: the archive takes no more.
    """
    reader = _Reader(archive.compression, iter(found), skipped)
    while not reader.is_done:
        for part in reader.parts():
            part.add_to(archive)
        if reader.large:
            try:
                _add_large(archive, *reader.large)
            except FileNotFoundError:
                skipped.append(f"{reader.large[0]}: vanished")


class _Part:
    """Consecutive entries of an archive: segments, and behind each but the last a file that is still to be compressed.

    Attributes:
        segment: the last one, which takes what comes next.
        size: about how many bytes all of it has in memory.
        waiting: how many of these are still to be compressed.
    """

    __slots__ = ("_compression", "_files", "_packed", "_segments", "segment", "size", "waiting")

    def __init__(self, compression: Compression) -> None:
        self._compression = compression
        self._files: list[tuple[str, int, float, bytes]] = []
        self._packed: list[bytes | None] = []
        self.segment = Segment(compression)
        self._segments = [self.segment]
        self.size = self.waiting = 0

    def add_later(self, name: str, mode: int, seconds: float, content: bytes) -> None:
        """Add a file that `compress` compresses; the rest is as in `Meta`."""
        self._files.append((name, mode, seconds, content))
        self.waiting += len(content)
        self.segment = Segment(self._compression)
        self._segments.append(self.segment)

    def compress(self) -> Self:
        """Compress what is waiting.

        Nothing else is done here. Between two calls of the compressor a thread holds the interpreter's lock, and the
        caller, which needs it at each of its many system calls, would wait for it.
        """
        pack = self._compression.pack
        self._packed = [pack(file[3]) for file in self._files]
        return self

    def add_to(self, archive: ZipWriter) -> None:
        """Add it, compressed, to an archive."""
        *before, last = self._segments
        for segment, file, packed in zip(before, self._files, self._packed, strict=True):
            segment.add_packed(*file, packed)
            archive.add_segment(segment)
        archive.add_segment(last)


class _Reader:
    """Reads what was found.

    Args:
        compression: how files are compressed.
        found: as for `pack_found`.
        skipped: as for `pack_found`.

    Attributes:
        large: a file that comes next, but is too large for memory.
        is_done: whether everything has been read.
    """

    def __init__(self, compression: Compression, found: Iterator[Found | str], skipped: list[str]) -> None:
        self._compression = compression
        self._found = found
        self._skipped = skipped
        self._least_shared = compression.least_shared if processors() > 1 else sys.maxsize
        self.large: Found | None = None
        self.is_done = False

    def parts(self) -> Iterator[_Part]:
        """Yield, compressed, what comes before the next large file."""
        parts = self._parts()
        waited = 0
        for part in parts:
            waited += part.waiting
            yield part.compress()
            if waited >= _WORTH_THREADS:
                yield from ordered_map(_Part.compress, parts)

    def _parts(self) -> Iterator[_Part]:
        part = _Part(self._compression)
        self.large = None
        for item in self._found:
            if isinstance(item, str):
                self._skipped.append(item)
                continue
            try:
                if not self._read(part, *item):
                    self.large = item
                    break
            except FileNotFoundError:
                self._skipped.append(f"{item[0]}: vanished")
            if part.size >= _PART_SIZE:
                yield part
                part = _Part(self._compression)
        else:
            self.is_done = True
        yield part

    def _read(self, part: _Part, name: str, entry: os.DirEntry[str]) -> bool:
        """Read something; return False if it is a large file.

        Raises:
            FileNotFoundError: it vanished.
            MissingInput: it cannot be read.
        """
        part.size += _HEADERS_SIZE
        # the kind is known from the listing: a file needs no stat of its own before it is opened
        if not entry.is_file(follow_symlinks=False):
            self._add_other(part.segment, name, entry)
            return True
        status, content = _read_small(entry.path)
        if content is None:
            return False
        size = len(content)
        part.size += size
        add = part.segment.add if size < self._least_shared else part.add_later
        add(name, status.st_mode, status.st_mtime, content)
        return True

    def _add_other(self, segment: Segment, name: str, entry: os.DirEntry[str]) -> None:
        """Add a directory or a link; anything else cannot travel."""
        status = entry.stat(follow_symlinks=False)
        mode = status.st_mode
        if stat.S_ISDIR(mode):
            segment.add(f"{name}/", mode, status.st_mtime)
        elif stat.S_ISLNK(mode):
            segment.add_packed(name, stat.S_IFLNK | 0o777, None, _link(entry.path), None)
        else:
            self._skipped.append(f"{name}: {_kind(mode)}")


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


def _regular(descriptor: int) -> os.stat_result:
    """Return what an open file is; one that was swapped for a FIFO or a device after it was listed counts as gone."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError
    return status


def _rest(read: bytes, descriptor: int, size: int) -> bytes | None:
    """Return the content of a file of this size, or None if there is more: network file systems give it in pieces."""
    while len(read) < size and (piece := os.read(descriptor, size + 1 - len(read))):
        read += piece
    return read if len(read) <= size else None


def _add_large(archive: ZipWriter, name: str, entry: os.DirEntry[str]) -> None:
    path = entry.path
    try:
        descriptor = os.open(path, _SAFELY)
    except OSError as error:
        _fail(path, error)
    with open(descriptor, "rb", buffering=0) as file:
        status = _regular(descriptor)
        meta = Meta(name, status.st_mode, status.st_mtime)
        archive.add_stream(meta, _chunks(file.fileno(), path), status.st_size)


def _chunks(descriptor: int, path: str) -> Iterator[bytes]:
    try:
        while chunk := os.read(descriptor, CHUNK_SIZE):
            yield chunk
    except OSError as error:
        _fail(path, error)


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
