"""A zip reader for archives from a stranger: what an archive says of itself counts only where it was checked.

It reads what ansible-runner and we write: one volume from the first byte to the last, entries stored or deflated. The
standard library's reader takes longer than creating the files does where they are small.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple, cast

from isal import isal_zlib

from receptor_runner.errors import ArchiveError
from receptor_runner.stream.zip_format import (
    CHUNK_SIZE,
    DEFLATED,
    DIGEST_FIELD,
    DIGEST_SIZE,
    MAX_32,
    SMALL_SIZE,
    TIMESTAMP_FIELD,
    UTF8_FLAG,
    ZIP64_FIELD,
)

_InflateError = cast("type[Exception]", isal_zlib.error)  # its type hint says something else
_END = struct.Struct("<IHHHHIIH")
_ZIP64_LOCATOR = struct.Struct("<IIQI")
_ZIP64_END = struct.Struct("<IQHHIIQQQQ")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_LOCAL = struct.Struct("<IHHHHHIIIHH")
_END_SIGNATURE = b"PK\5\6"
_LONGEST_COMMENT = (1 << 16) - 1
_UNREADABLE_FLAGS = 0x1 | 0x20 | 0x40  # encrypted, patched, strongly encrypted
_GUESSED_EXTRA = (
    64  # bytes that a local header may have more than the central one says, for one read to be enough
)


class ZipEntry(NamedTuple):
    """One entry, as the central directory describes it."""

    name: str
    raw_name: bytes
    method: int
    time: int
    date: int
    checksum: int
    packed_size: int
    size: int
    attributes: int
    offset: int
    extra: bytes

    @property
    def mode(self) -> int:
        """Its unix mode with the kind of file, or 0 if its writer knew none."""
        return self.attributes >> 16

    @property
    def modified(self) -> float:
        """When it was modified: in UTC where the archive says so, else as a local time."""
        for tag, value in _fields(self.extra):
            if tag == TIMESTAMP_FIELD and len(value) >= 5 and value[0] & 1:
                return float(struct.unpack_from("<l", value, 1)[0])
        day = (self.date >> 9) + 1980, self.date >> 5 & 0xF, self.date & 0x1F
        return time.mktime((*day, self.time >> 11, self.time >> 5 & 0x3F, (self.time & 0x1F) * 2, 0, 0, -1))

    @property
    def digest(self) -> bytes:
        """Under which digest its writer lets it be kept, b"" if it does not."""
        for tag, value in _fields(self.extra):
            if tag == DIGEST_FIELD and len(value) == DIGEST_SIZE:
                return value
        return b""


class ZipReader:
    """Reads one archive.

    Args:
        file: the whole zip file, seekable.

    Raises:
        ArchiveError: it is not one, or it is damaged.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.archive_size = file.seek(0, 2)
        self.count, self._directory, self._directory_end = self._find_directory()

    def entries(self) -> Iterator[ZipEntry]:
        """Yield the entries in the order of the central directory."""
        self._file.seek(self._directory)
        offset = self._directory
        for _number in range(self.count):
            header = _unpack(_CENTRAL, self._file.read(_CENTRAL.size), b"PK\1\2")
            lengths = header[10:13]
            offset += _CENTRAL.size + sum(lengths)
            if offset > self._directory_end:
                raise damaged("its directory is cut off")
            # read before the entry is handed out: whoever takes it may read elsewhere in the file
            yield _entry(header, self._file.read(sum(lengths)))
            self._file.seek(offset)
        if offset != self._directory_end:
            raise damaged("its directory holds something else")

    def check(self, entries: Iterable[ZipEntry]) -> None:
        """Read all of some entries, to know of any damage before anything is written.

        Entries that share bytes are refused too: a small archive can hold the same bytes a million times.
        """
        end = 0
        for entry in sorted(entries, key=lambda entry: entry.offset):
            if entry.offset < end:
                raise damaged("entries overlap", entry)
            if is_small(entry):
                end = self._small(entry)[1]
            else:
                end = self._place(entry)[1]
                for _piece in self.pieces(entry):
                    pass

    def content(self, entry: ZipEntry) -> bytes:
        """Return the content of a small entry."""
        return self._small(entry)[0]

    def pieces(self, entry: ZipEntry) -> Iterator[bytes]:
        """Yield the content of an entry of any size; damage is an error at the latest after the last piece."""
        size = checksum = 0
        for piece in self._inflated(entry) if entry.method == DEFLATED else self.packed(entry):
            size += len(piece)
            if size > entry.size:
                break
            checksum = isal_zlib.crc32(piece, checksum)
            yield piece
        _check(entry, size, checksum)

    def _find_directory(self) -> tuple[int, int, int]:
        """Return how many entries there are, and where their directory begins and ends."""
        start = max(self.archive_size - _END.size - _LONGEST_COMMENT, 0)
        tail = self._read(start, self.archive_size - start)
        place = tail.rfind(_END_SIGNATURE)
        while place >= 0 and place + _END.size <= len(tail):
            *_signature, count, size, offset, comment = _END.unpack_from(tail, place)
            if place + _END.size + comment == len(tail):
                return self._directory_at(start + place, count, size, offset)
            place = tail.rfind(_END_SIGNATURE, 0, place)
        raise damaged("it is not a zip file, or its end is missing")

    def _directory_at(self, end: int, count: int, size: int, offset: int) -> tuple[int, int, int]:
        locator = self._read(max(end - _ZIP64_LOCATOR.size, 0), _ZIP64_LOCATOR.size)
        if locator.startswith(b"PK\6\7") and len(locator) == _ZIP64_LOCATOR.size:
            end = _ZIP64_LOCATOR.unpack(locator)[2]
            record = _unpack(_ZIP64_END, self._read(end, _ZIP64_END.size), b"PK\6\6")
            count, size, offset = record[7:]
        if offset + size != end:
            raise damaged("its beginning is missing")
        return count, offset, end

    def _read(self, offset: int, size: int) -> bytes:
        self._file.seek(min(offset, self.archive_size))
        return self._file.read(size)

    def _small(self, entry: ZipEntry) -> tuple[bytes, int]:
        """Return the content of a small entry, and where its bytes end."""
        window = self._read(
            entry.offset,
            _LOCAL.size + len(entry.raw_name) + len(entry.extra) + _GUESSED_EXTRA + entry.packed_size,
        )
        begin, end = self._place(entry, window)
        data = window[begin - entry.offset : end - entry.offset]
        if len(data) < entry.packed_size:
            data = self._read(begin, entry.packed_size)
        content = _inflate(data, entry) if entry.method == DEFLATED else data
        _check(entry, len(content), isal_zlib.crc32(content))
        return content, end

    def _place(self, entry: ZipEntry, window: bytes = b"") -> tuple[int, int]:
        """Return where an entry's bytes begin and end, after its local header."""
        length = _LOCAL.size + len(entry.raw_name)
        window = window or self._read(entry.offset, length)
        header = _unpack(_LOCAL, window[: _LOCAL.size], b"PK\3\4")
        if header[2] & _UNREADABLE_FLAGS:
            raise damaged("it is encrypted", entry)
        if window[_LOCAL.size : length] != entry.raw_name or header[9] != len(entry.raw_name):
            raise damaged("its two names differ", entry)
        begin = entry.offset + length + header[10]
        end = begin + entry.packed_size
        if end > self._directory:
            raise damaged("it reaches beyond its place", entry)
        return begin, end

    def packed(self, entry: ZipEntry) -> Iterator[bytes]:
        """Yield the bytes of an entry as they stand in the archive."""
        place, end = self._place(entry)
        while place < end and (piece := self._read(place, min(CHUNK_SIZE, end - place))):
            place += len(piece)
            yield piece

    def _inflated(self, entry: ZipEntry) -> Iterator[bytes]:
        """Yield pieces of bounded size, however much a few bytes inflate to."""
        inflater = isal_zlib.decompressobj(-15)
        try:
            for packed in self.packed(entry):
                rest = packed
                while (piece := inflater.decompress(rest, CHUNK_SIZE)) or inflater.unconsumed_tail:
                    yield piece
                    rest = inflater.unconsumed_tail
        except _InflateError as error:
            raise damaged(str(error), entry) from error


def is_small(entry: ZipEntry) -> bool:
    """Return whether an entry fits into memory, packed and unpacked."""
    return entry.size <= SMALL_SIZE and entry.packed_size <= SMALL_SIZE


def damaged(cause: str, entry: ZipEntry | None = None) -> ArchiveError:
    """Return the error for an archive that is damaged, in an entry if one is named."""
    return ArchiveError("the archive is damaged", cause=f"{entry.name}: {cause}" if entry else cause)


def _unpack(form: struct.Struct, data: bytes, signature: bytes) -> tuple[int, ...]:
    if len(data) < form.size or not data.startswith(signature):
        raise damaged("a header is missing")
    return form.unpack(data)


def _entry(header: tuple[int, ...], texts: bytes) -> ZipEntry:
    """Return an entry from its header and the bytes behind that."""
    flags, method, moment, day, checksum, packed_size, size, name_size, extra_size = header[3:12]
    if flags & _UNREADABLE_FLAGS:
        raise damaged("an entry is encrypted")
    raw_name, extra = texts[:name_size], texts[name_size : name_size + extra_size]
    name = raw_name.decode("utf-8" if flags & UTF8_FLAG else "cp437")
    if len(texts) < name_size + extra_size:
        raise damaged("its directory is cut off")
    offset = header[16]
    if MAX_32 in {size, packed_size, offset}:
        size, packed_size, offset = _zip64(extra, size, packed_size, offset)
    attributes = header[15]
    return ZipEntry(
        name, raw_name, method, moment, day, checksum, packed_size, size, attributes, offset, extra
    )


def _zip64(extra: bytes, *values: int) -> tuple[int, ...]:
    """Return sizes and offset, those that did not fit into the header taken from their field."""
    field = next((value for tag, value in _fields(extra) if tag == ZIP64_FIELD), b"")
    wanted = values.count(MAX_32)
    if len(field) < 8 * wanted:
        raise damaged("a size is missing")
    large = iter(struct.unpack_from(f"<{wanted}Q", field))
    return tuple(next(large) if value == MAX_32 else value for value in values)


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    while len(extra) >= 4:
        tag, size = struct.unpack_from("<HH", extra)
        yield tag, extra[4 : 4 + size]
        extra = extra[4 + size :]


def _inflate(data: bytes, entry: ZipEntry) -> bytes:
    """Return the content of a small entry, or one byte more than it may have."""
    try:
        return isal_zlib.decompressobj(-15).decompress(data, entry.size + 1)
    except _InflateError as error:
        raise damaged(str(error), entry) from error


def _check(entry: ZipEntry, size: int, checksum: int) -> None:
    if size != entry.size:
        raise damaged("its size is wrong", entry)
    if checksum != entry.checksum:
        raise damaged("its checksum is wrong", entry)
