"""A zip writer: only what an archive of ours needs, and fast where there are many small files.

The standard library's sets up a compressor of a quarter of a megabyte for each file. Here a small file is compressed in
one call and written in one piece, whatever does not shrink is stored, and the central directory waits in a spool, so
that memory does not grow with the number of files.
"""

from __future__ import annotations

import functools
import itertools
import shutil
import struct
import tempfile
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import IO, NamedTuple, Self

from isal import isal_zlib

from receptor_runner.errors import MissingInput
from receptor_runner.stream.compression import Body, Compression, Flow
from receptor_runner.stream.zip_format import (
    CHUNK_SIZE,
    DEFAULT_LEVEL,
    DIGEST_FIELD,
    MAX_32,
    REFERENCE,
    STORED,
    TIMESTAMP_FIELD,
    UTF8_FLAG,
    ZIP64_FIELD,
)

_DIRECTORY_MEMORY = 4 * 1024 * 1024
_ZIP64_SIZE = 1 << 30  # from here on 64-bit sizes are reserved: the file may grow while it is read
_MAX_16 = 0xFFFF
_DIRECTORY_FLAG = 0x10
_VERSION, _ZIP64_VERSION = 20, 45
_LATEST_SECONDS = 1 << 33
_EARLIEST, _LATEST = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 59)

_LOCAL_SIGNATURE = b"PK\3\4"
_CENTRAL_SIGNATURE = b"PK\1\2" + struct.pack("<H", 3 << 8 | 45)  # made on unix, by version 4.5 of the format
_COMMON = struct.Struct("<HHHHHIIIHH")
_CENTRAL_REST = struct.Struct("<HHHII")
_TIMESTAMP = struct.Struct("<HHBl")
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
        self._compression = Compression(level)
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

    def add(self, meta: Meta, content: bytes = b"", *, compress: bool = True) -> None:
        """Add an entry whose content is in memory.

        Args:
            meta: what it is.
            content: all of it.
            compress: whether to try; the text of a link is always stored.
        """
        data, method = self._compression.shrunk(content) if compress and content else (content, STORED)
        body = Body(method, isal_zlib.crc32(content), len(data), len(content))
        local, central = _headers(meta, body, self._offset, is_large=False)
        self._waiting += local
        self._waiting += data
        if len(self._waiting) > CHUNK_SIZE:
            self._flush()
        self._register(len(local) + len(data), central)

    def add_stream(self, meta: Meta, chunks: Iterator[bytes], size: int) -> None:
        """Add a file that is too large for one piece.

        Args:
            meta: what it is.
            chunks: its content; the first one decides whether it is compressed.
            size: how large it was when it was found.

        Raises:
            MissingInput: it grew beyond what was reserved for its size.
        """
        head = next(chunks)
        flow = Flow(self._compression, self._compression.method(head))
        is_large = size > _ZIP64_SIZE
        self._waiting += _headers(meta, flow.body, self._offset, is_large=is_large)[0]
        self._flush()
        for piece in flow.pieces(itertools.chain([head], chunks)):
            self._file.write(piece)
        if not is_large and max(flow.size, flow.packed_size) >= MAX_32:
            raise MissingInput(f"cannot read {meta.name}", cause="it grew by gigabytes while it was read")
        local, central = _headers(meta, flow.body, self._offset, is_large=is_large)
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
        local, central = _headers(meta, body, self._offset, is_large=is_large)
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

    def _register(self, size: int, central_header: bytes) -> None:
        self._offset += size
        self._count += 1
        self._headers += central_header
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


def _headers(meta: Meta, body: Body, offset: int, *, is_large: bool) -> tuple[bytes, bytes]:
    """Return the header before an entry's content, and the one in the central directory."""
    name, flags = (meta.name.encode("ascii"), 0) if meta.name.isascii() else (meta.name.encode(), UTF8_FLAG)
    extra, day, moment = _times(None if meta.seconds is None else int(meta.seconds))
    is_far = offset >= MAX_32
    local_extra = extra + _zip64(body, None) if is_large else extra
    central_extra = extra + _zip64(body if is_large else None, offset if is_far else None)
    if meta.digest:
        central_extra += struct.pack("<HH", DIGEST_FIELD, len(meta.digest)) + meta.digest
    version = _ZIP64_VERSION if is_large or is_far else _VERSION
    sizes = (MAX_32, MAX_32) if is_large else (body.packed_size, body.size)
    fields = (version, flags, body.method, moment, day, body.checksum, *sizes, len(name))
    attributes = (meta.mode & 0xFFFF) << 16 | (_DIRECTORY_FLAG if name.endswith(b"/") else 0)
    local = _COMMON.pack(*fields, len(local_extra))
    # both headers describe the entry in the same words
    common = local if local_extra == central_extra else _COMMON.pack(*fields, len(central_extra))
    rest = _CENTRAL_REST.pack(0, 0, 0, attributes, MAX_32 if is_far else offset)
    return (
        _LOCAL_SIGNATURE + local + name + local_extra,
        _CENTRAL_SIGNATURE + common + rest + name + central_extra,
    )


def _zip64(body: Body | None, offset: int | None) -> bytes:
    """Return the field for what does not fit into 32 bits: sizes, offset, both, or nothing."""
    values = ([body.size, body.packed_size] if body else []) + ([offset] if offset is not None else [])
    return struct.pack(f"<HH{len(values)}Q", ZIP64_FIELD, 8 * len(values), *values) if values else b""


@functools.lru_cache(maxsize=16)  # a checkout or a copy makes many files in one second
def _times(seconds: int | None) -> tuple[bytes, int, int]:
    """Return an entry's time as a field in UTC, and as date and time of a header.

    Those are local and to two seconds, as every reader expects them.
    """
    fields: tuple[int, ...] = _EARLIEST
    extra = b""
    if seconds is not None:
        fields = time.localtime(min(max(seconds, 0), _LATEST_SECONDS))[:6]
        if 0 <= seconds < 1 << 31:
            extra = _TIMESTAMP.pack(TIMESTAMP_FIELD, 5, 1, seconds)
    year, month, day, hour, minute, second = min(max(fields, _EARLIEST), _LATEST)
    return extra, (year - 1980) << 9 | month << 5 | day, hour << 11 | minute << 5 | second // 2


def _end(count: int, size: int, offset: int) -> bytes:
    """Return the records behind the central directory."""
    zip64 = b""
    if count >= _MAX_16 or size >= MAX_32 or offset >= MAX_32:
        fields = (0x06064B50, 44, _ZIP64_VERSION, _ZIP64_VERSION, 0, 0, count, count, size, offset)
        zip64 = _ZIP64_END.pack(*fields) + _ZIP64_LOCATOR.pack(0x07064B50, 0, offset + size, 1)
    counts = (min(count, _MAX_16),) * 2
    return zip64 + _END.pack(0x06054B50, 0, 0, *counts, min(size, MAX_32), min(offset, MAX_32), 0)
