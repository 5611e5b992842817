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
from receptor_runner.stream.compression import Body, Compression, Flow, packed_entry
from receptor_runner.stream.zip_format import (
    CHUNK_SIZE,
    DEFAULT_LEVEL,
    DIGEST_FIELD,
    MAX_32,
    REFERENCE,
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
_EXTRA_SIZE, _EXTRA_SIZE_PLACE = struct.Struct("<H"), 30  # in a central header
_OFFSET, _OFFSET_PLACE = struct.Struct("<I"), 42
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


class Segment:
    """Entries one behind the other, made before it is known where in the archive they stand.

    So threads can make several at once. All entries of a segment are in memory.

    Args:
        compression: how contents are compressed.
    """

    __slots__ = ("_compression", "data", "directory", "places")

    def __init__(self, compression: Compression) -> None:
        self._compression = compression
        self.data = bytearray()
        self.places: list[
            tuple[int, int]
        ] = []  # of each entry: of its header in `directory`, of itself in `data`
        self.directory = bytearray()

    def add(
        self, name: str, mode: int, seconds: float | None, content: bytes = b"", *, digest: bytes = b""
    ) -> None:
        """Compress a content and add it as an entry; the rest is as in `Meta`."""
        self.add_packed(name, mode, seconds, content, self._compression.pack(content), digest)

    def add_packed(
        self,
        name: str,
        mode: int,
        seconds: float | None,
        content: bytes,
        packed: bytes | None,
        digest: bytes = b"",
    ) -> None:
        """Add an entry whose content is compressed already.

        Args:
            name: as in `Meta`.
            mode: as in `Meta`.
            seconds: as in `Meta`.
            content: all of it.
            packed: what `Compression.pack` made of it, or None to store it as it is.
            digest: as in `Meta`.
        """
        data, method, checksum = packed_entry(content, packed)
        local, central = _headers(name, mode, seconds, digest, method, checksum, len(data), len(content))
        self.places.append((len(self.directory), len(self.data)))
        self.data += local
        self.data += data
        self.directory += central

    def placed(self, place: int) -> bytearray:
        """Return the central headers, now that it is known where in the archive the segment begins."""
        if place + len(self.data) < MAX_32:
            for start, offset in self.places:
                _OFFSET.pack_into(self.directory, start + _OFFSET_PLACE, place + offset)
            return self.directory
        ends = [*(start for start, _offset in self.places[1:]), len(self.directory)]
        parts = zip(self.places, ends, strict=True)
        return bytearray().join(
            _moved_far(self.directory[start:end], place + offset) for (start, offset), end in parts
        )


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
        self._waiting += _headers(*meta, *flow.body, self._offset, is_large=is_large)[0]
        self._flush()
        for piece in flow.pieces(itertools.chain([head], chunks)):
            self._file.write(piece)
        if not is_large and max(flow.size, flow.packed_size) >= MAX_32:
            raise MissingInput(f"cannot read {meta.name}", cause="it grew by gigabytes while it was read")
        local, central = _headers(*meta, *flow.body, self._offset, is_large=is_large)
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
        local, central = _headers(*meta, *body, self._offset, is_large=is_large)
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


def _headers(
    name: str,
    mode: int,
    seconds: float | None,
    digest: bytes,
    method: int,
    checksum: int,
    packed_size: int,
    size: int,
    offset: int = 0,
    *,
    is_large: bool = False,
) -> tuple[bytes, bytes]:
    """Return the header before an entry's content, and the one in the central directory.

    The fields come one by one and not as `Meta` and `Body`: to make those takes as long as all of this.
    """
    raw = name.encode()
    extra, day, moment = _times(None if seconds is None else int(seconds))
    local_extra = central_extra = extra
    version, stated_offset = _VERSION, offset
    if is_large:
        local_extra += _zip64(size, packed_size)
        central_extra += _zip64(size, packed_size, *((offset,) if offset >= MAX_32 else ()))
        packed_size = size = MAX_32
        version = _ZIP64_VERSION
        stated_offset = min(offset, MAX_32)
    elif offset >= MAX_32:
        central_extra += _zip64(offset)
        version, stated_offset = _ZIP64_VERSION, MAX_32
    if digest:
        central_extra += struct.pack("<HH", DIGEST_FIELD, len(digest)) + digest
    flags = 0 if name.isascii() else UTF8_FLAG
    fields = (version, flags, method, moment, day, checksum, packed_size, size, len(raw))
    # both headers describe the entry in the same words
    local = central = _COMMON.pack(*fields, len(local_extra))
    if local_extra is not central_extra:
        central = _COMMON.pack(*fields, len(central_extra))
    attributes = (mode & 0xFFFF) << 16 | (_DIRECTORY_FLAG if raw.endswith(b"/") else 0)
    rest = _CENTRAL_REST.pack(0, 0, 0, attributes, stated_offset)
    return (
        _LOCAL_SIGNATURE + local + raw + local_extra,
        _CENTRAL_SIGNATURE + central + rest + raw + central_extra,
    )


def _moved_far(header: bytearray, offset: int) -> bytearray:
    """Return the central header of a small entry with an offset, which may not fit into 32 bits."""
    if offset < MAX_32:
        _OFFSET.pack_into(header, _OFFSET_PLACE, offset)
        return header
    field = _zip64(offset)
    (extra_size,) = _EXTRA_SIZE.unpack_from(header, _EXTRA_SIZE_PLACE)
    _EXTRA_SIZE.pack_into(header, _EXTRA_SIZE_PLACE, extra_size + len(field))
    _EXTRA_SIZE.pack_into(header, len(_CENTRAL_SIGNATURE), _ZIP64_VERSION)
    _OFFSET.pack_into(header, _OFFSET_PLACE, MAX_32)
    return header + field


def _zip64(*values: int) -> bytes:
    """Return the field for what does not fit into 32 bits: sizes, offset, or both."""
    return struct.pack(f"<HH{len(values)}Q", ZIP64_FIELD, 8 * len(values), *values)


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
