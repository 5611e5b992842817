"""The entries of an archive: their headers, and runs of them that are made before their place is known."""

from __future__ import annotations

import functools
import struct
import time

from receptor_runner.archive.compression import Compression, packed_entry
from receptor_runner.archive.zip_format import (
    DIGEST_FIELD,
    MAX_32,
    TIMESTAMP_FIELD,
    UTF8_FLAG,
    ZIP64_FIELD,
)

TYPE_CHECKING = False  # the second process starts in half of the time without `typing`
if TYPE_CHECKING:
    from collections.abc import Sequence

_DIRECTORY_FLAG = 0x10
ZIP64_VERSION = 45
_VERSION = 20
_LATEST_SECONDS = 1 << 33
_EARLIEST, _LATEST = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 59)

_LOCAL_SIGNATURE = b"PK\3\4"
_CENTRAL_SIGNATURE = b"PK\1\2" + struct.pack("<H", 3 << 8 | 45)  # made on unix, by version 4.5 of the format
_COMMON = struct.Struct("<HHHHHIIIHH")
_CENTRAL_REST = struct.Struct("<HHHII")
_EXTRA_SIZE, _EXTRA_SIZE_PLACE = struct.Struct("<H"), 30  # in a central header
_OFFSET, _OFFSET_PLACE = struct.Struct("<I"), 42
_TIMESTAMP = struct.Struct("<HHBl")


class Segment:
    """Entries one behind the other, made before it is known where in the archive they stand.

    So another process can make them. All entries of a segment are in memory.

    Args:
        compression: how contents are compressed.
        data: the entries that are there already.
        places: of each entry: of its header in `directory`, of itself in `data`.
        directory: the central headers of the entries.
    """

    __slots__ = ("_compression", "data", "directory", "places")

    def __init__(
        self,
        compression: Compression,
        data: bytes = b"",
        places: Sequence[tuple[int, int]] = (),
        directory: bytes = b"",
    ) -> None:
        self._compression = compression
        self.data = bytearray(data)
        self.places = list(places)
        self.directory = bytearray(directory)

    def add(
        self, name: str, mode: int, seconds: float | None, content: bytes = b"", *, digest: bytes = b""
    ) -> None:
        """Compress a content and add it as an entry; the rest is as in `zip_writer.Meta`."""
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
            name: as in `zip_writer.Meta`.
            mode: as in `zip_writer.Meta`.
            seconds: as in `zip_writer.Meta`.
            content: all of it.
            packed: what `Compression.pack` made of it, or None to store it as it is.
            digest: as in `zip_writer.Meta`.
        """
        data, method, checksum = packed_entry(content, packed)
        local, central = headers(name, mode, seconds, digest, method, checksum, len(data), len(content))
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


def headers(
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
        version = ZIP64_VERSION
        stated_offset = min(offset, MAX_32)
    elif offset >= MAX_32:
        central_extra += _zip64(offset)
        version, stated_offset = ZIP64_VERSION, MAX_32
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
    _EXTRA_SIZE.pack_into(header, len(_CENTRAL_SIGNATURE), ZIP64_VERSION)
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
