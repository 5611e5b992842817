"""A zip writer: only what an archive of ours needs, and fast where there are many small files.

The standard library's sets up a compressor of a quarter of a megabyte for each file. Here a small file is compressed in
one call and written in one piece, whatever does not shrink is stored, and the central directory waits in a spool, so
that memory does not grow with the number of files.
"""

from __future__ import annotations

import itertools
import shutil
import struct
import tempfile
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import IO, NamedTuple, Self

from isal import isal_zlib

from receptor_runner.archive.compression import Compression
from receptor_runner.archive.flow import Body, Flow
from receptor_runner.archive.segment import ZIP64_VERSION, Segment, headers
from receptor_runner.archive.zip_format import CHUNK_SIZE, DEFAULT_LEVEL, MAX_32, REFERENCE
from receptor_runner.errors import MissingInput

_DIRECTORY_MEMORY = 4 * 1024 * 1024
_ZIP64_SIZE = 1 << 30  # from here on 64-bit sizes are reserved: the file may grow while it is read
_MAX_16 = 0xFFFF
_ZIP64_END = struct.Struct("<IQHHIIQQQQ")
_ZIP64_LOCATOR = struct.Struct("<IIQI")
_END = struct.Struct("<IHHHHIIH")


class Meta(NamedTuple):
    """What an entry is besides its content.

    Attributes:
        name: relative, with `/`; a directory's ends in one.
        mode: unix mode with the kind of file.
        seconds: when it was modified; None for what has no time of its own.
        digest: under which digest the reader may keep it; b"" if it may not.
    """

    name: str
    mode: int
    seconds: float | None
    digest: bytes = b""


class ZipWriter:
    """Writes one archive from the file's current position, which must be its beginning.

    Args:
        file: takes the archive; it must be seekable, since a large file's sizes are filled in afterwards.
        level: how hard it compresses: 0 not at all, 3 fast, 9 as small as zlib can, at a tenth of the speed.

    Raises:
        OSError: the file takes no more.
    """

    def __init__(self, file: IO[bytes], *, level: int = DEFAULT_LEVEL) -> None:
        self._file = file
        self.compression = Compression(level)
        self._waiting = bytearray()
        self._offset = 0
        self._count = 0
        self._headers = bytearray()
        self._directory = tempfile.SpooledTemporaryFile(max_size=_DIRECTORY_MEMORY)  # noqa: SIM115 - see __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Write the central directory, unless writing failed."""
        with self._directory:
            if kind is None:
                self._finish()

    def add(self, meta: Meta, content: bytes = b"") -> None:
        """Add an entry whose content is in memory.

        Args:
            meta: what it is.
            content: all of it.
        """
        name, mode, seconds, digest = meta
        segment = Segment(self.compression)
        segment.add(name, mode, seconds, content, digest=digest)
        self.add_segment(segment)

    def add_segment(self, segment: Segment) -> None:
        """Add entries that are ready; the segment is used up by that."""
        if len(self._waiting) + len(segment.data) > CHUNK_SIZE:
            self._flush()
        if len(segment.data) > CHUNK_SIZE:
            self._file.write(segment.data)
        else:
            self._waiting += segment.data
        self._register(len(segment.data), segment.placed(self._offset), len(segment.places))

    def add_stream(self, meta: Meta, chunks: Iterator[bytes], size: int) -> None:
        """Add a file that is too large for one piece.

        Args:
            meta: what it is.
            chunks: its content; the first one decides whether it is compressed.
            size: how large it was when it was found.

        Raises:
            MissingInput: it grew beyond what was reserved for its size.
        """
        head = next(chunks, b"")
        flow = Flow(self.compression, self.compression.method(head))
        is_large = size > _ZIP64_SIZE
        self._waiting += headers(*meta, *flow.body, self._offset, is_large=is_large)[0]
        self._flush()
        for piece in flow.pieces(itertools.chain([head], chunks)):
            self._file.write(piece)
        if not is_large and max(flow.size, flow.packed_size) >= MAX_32:
            raise MissingInput(f"cannot read {meta.name}", cause="it grew by gigabytes while it was read")
        local, central = headers(*meta, *flow.body, self._offset, is_large=is_large)
        self._patch(local)
        self._register(len(local) + flow.packed_size, central)

    def add_reference(self, meta: Meta, size: int) -> None:
        """Add an entry for a file that the reader has kept.

        Args:
            meta: what it is, with its digest.
            size: bytes of the file.
        """
        content = encode_reference(meta.digest, size)
        body = Body(REFERENCE, isal_zlib.crc32(content), len(content), len(content))
        self.copy(meta._replace(digest=b""), body, [content])

    def copy(self, meta: Meta, body: Body, pieces: Iterable[bytes]) -> None:
        """Add an entry as it stands in another archive.

        Args:
            meta: what it is.
            body: how it stands there.
            pieces: its packed content.
        """
        is_large = max(body.size, body.packed_size) > _ZIP64_SIZE
        local, central = headers(*meta, *body, self._offset, is_large=is_large)
        self._waiting += local
        for piece in pieces:
            self._waiting += piece
            if len(self._waiting) > CHUNK_SIZE:
                self._flush()
        self._register(len(local) + body.packed_size, central)

    def _patch(self, local_header: bytes) -> None:
        """Write a local header again, now that checksum and sizes are known."""
        end = self._file.tell()
        self._file.seek(self._offset)
        self._file.write(local_header)
        self._file.seek(end)

    def _register(self, size: int, headers: bytes | bytearray, count: int = 1) -> None:
        """Note entries of that size in all, and their headers in the central directory."""
        self._offset += size
        self._count += count
        self._headers += headers
        if len(self._headers) > CHUNK_SIZE:
            self._directory.write(self._headers)
            self._headers.clear()

    def _flush(self) -> None:
        self._file.write(self._waiting)
        self._waiting.clear()

    def _finish(self) -> None:
        self._flush()
        self._directory.write(self._headers)
        size = self._directory.tell()
        self._directory.seek(0)
        shutil.copyfileobj(self._directory, self._file, CHUNK_SIZE)
        self._file.write(_end(self._count, size, self._offset))


def encode_reference(digest: bytes, size: int) -> bytes:
    """Return the content of an entry that stands for a file which the reader has kept.

    Args:
        digest: the file's.
        size: bytes of the file.
    """
    return digest + size.to_bytes(8, "little")


def _end(count: int, size: int, offset: int) -> bytes:
    """Return the records behind the central directory."""
    zip64 = b""
    if count >= _MAX_16 or size >= MAX_32 or offset >= MAX_32:
        fields = (0x06064B50, 44, ZIP64_VERSION, ZIP64_VERSION, 0, 0, count, count, size, offset)
        zip64 = _ZIP64_END.pack(*fields) + _ZIP64_LOCATOR.pack(0x07064B50, 0, offset + size, 1)
    counts = (min(count, _MAX_16),) * 2
    return zip64 + _END.pack(0x06054B50, 0, 0, *counts, min(size, MAX_32), min(offset, MAX_32), 0)
