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

from receptor_runner.archive.zip_format import (
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
from receptor_runner.errors import ArchiveError

_InflateError = cast("type[Exception]", isal_zlib.error)  # its type hint says something else
_END = struct.Struct("<IHHHHIIH")
_ZIP64_LOCATOR = struct.Struct("<IIQI")
_ZIP64_END = struct.Struct("<IQHHIIQQQQ")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_LOCAL = struct.Struct("<IHHHHHIIIHH")
_END_SIGNATURE = b"PK\5\6"
_LONGEST_COMMENT = (1 << 16) - 1
_UNREADABLE_FLAGS = 0x1 | 0x20 | 0x40  # encrypted, patched, strongly encrypted
_GUESSED_EXTRA = 64  # bytes of extra fields that a local header may have, for one read to be enough
_READ_AHEAD = 1 << 16
_DIRECTORY_AHEAD = 1 << 18
_LONGEST_HEADER = _CENTRAL.size + 3 * ((1 << 16) - 1)


class ZipEntry(NamedTuple):
    """One entry, as the central directory describes it.

    Attributes:
        name: its name, as text.
        is_utf8: whether its name is UTF-8 in the archive, and not code page 437.
        method: how it is compressed.
        checksum: the CRC-32 of its content.
        packed_size: bytes that it takes in the archive.
        size: bytes of its content.
        attributes: its unix mode and those of other systems.
        offset: where its local header begins.
        modified: when it was modified: in UTC where the archive says so, else as a local time.
        digest: under which digest its writer lets it be kept, b"" if it does not.
    """

    name: str
    is_utf8: bool
    method: int
    checksum: int
    packed_size: int
    size: int
    attributes: int
    offset: int
    modified: float
    digest: bytes

    @property
    def mode(self) -> int:
        """Its unix mode with the kind of file, or 0 if its writer knew none."""
        return self.attributes >> 16

    @property
    def raw_name(self) -> bytes:
        """Its name, as it stands in the archive; not kept, for very many entries have to fit into memory."""
        return self.name.encode("utf-8" if self.is_utf8 else "cp437")


class ZipReader:
    """Reads one archive.

    Args:
        file: the whole zip file, seekable.

    Raises:
        ArchiveError: it is not one, or it is damaged.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._ahead, self._ahead_from = b"", 0
        self.archive_size = file.seek(0, 2)
        self.count, self._directory, self._directory_end = self._find_directory()

    def entries(self) -> Iterator[ZipEntry]:
        """Yield the entries in the order of the central directory."""
        # The directory is read in its own large pieces: whoever takes an entry may read elsewhere in the file.
        offset = begin = self._directory
        data = b""
        times: dict[int, float] = {}
        for _number in range(self.count):
            behind = begin + len(data)
            if behind - offset < _LONGEST_HEADER and behind < self.archive_size:
                begin, data = offset, self._read(offset, _DIRECTORY_AHEAD)
            header = _unpack(_CENTRAL, data, offset - begin, b"PK\1\2")
            start = offset - begin + _CENTRAL.size
            offset += _CENTRAL.size + header[10] + header[11] + header[12]
            if offset > self._directory_end:
                raise damaged("its directory is cut off")
            yield _entry(header, data, start, times)
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
                end = self._large(entry)[1]
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
            record = _unpack(_ZIP64_END, self._read(end, _ZIP64_END.size), 0, b"PK\6\6")
            count, size, offset = record[7:]
        if offset + size != end:
            raise damaged("its beginning is missing")
        return count, offset, end

    def _read(self, offset: int, size: int) -> bytes:
        self._file.seek(min(offset, self.archive_size))
        return self._file.read(size)

    def _read_ahead(self, offset: int, size: int) -> tuple[bytes, int]:
        """Return bytes that begin at an offset or before, and where in them the offset is.

        Entries mostly follow each other, so more is read at once; but not for one that lies elsewhere: reading much for
        each of a million entries in a nasty order would take hours.
        """
        start = offset - self._ahead_from
        if start < 0 or start + size > len(self._ahead):
            follows = 0 <= start <= len(self._ahead)
            self._ahead = self._read(offset, max(size, _READ_AHEAD) if follows else size)
            self._ahead_from, start = offset, 0
        return self._ahead, start

    def _small(self, entry: ZipEntry) -> tuple[bytes, int]:
        """Return the content of a small entry, and where its bytes end."""
        name = entry.raw_name
        size = _LOCAL.size + len(name) + _GUESSED_EXTRA + entry.packed_size
        data, start = self._read_ahead(entry.offset, size)
        begin, end = self._place(entry, name, data, start)
        start += begin - entry.offset
        packed = data[start : start + entry.packed_size]
        if len(packed) < entry.packed_size:
            packed = self._read(begin, entry.packed_size)
        content = _inflate(packed, entry) if entry.method == DEFLATED else packed
        _check(entry, len(content), isal_zlib.crc32(content))
        return content, end

    def _place(self, entry: ZipEntry, name: bytes, data: bytes, start: int) -> tuple[int, int]:
        """Return where an entry's bytes begin and end, after its local header, which is at `start` of the data."""
        header = _unpack(_LOCAL, data, start, b"PK\3\4")
        if header[2] & _UNREADABLE_FLAGS:
            raise damaged("it is encrypted", entry)
        if header[9] != len(name) or not data.startswith(name, start + _LOCAL.size):
            raise damaged("its two names differ", entry)
        begin = entry.offset + _LOCAL.size + len(name) + header[10]
        end = begin + entry.packed_size
        if end > self._directory:
            raise damaged("it reaches beyond its place", entry)
        return begin, end

    def _large(self, entry: ZipEntry) -> tuple[int, int]:
        """Return where the bytes of an entry of any size begin and end."""
        name = entry.raw_name
        return self._place(entry, name, self._read(entry.offset, _LOCAL.size + len(name)), 0)

    def packed(self, entry: ZipEntry) -> Iterator[bytes]:
        """Yield the bytes of an entry as they stand in the archive."""
        place, end = self._large(entry)
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


def _unpack(form: struct.Struct, data: bytes, start: int, signature: bytes) -> tuple[int, ...]:
    if len(data) < start + form.size or not data.startswith(signature, start):
        raise damaged("a header is missing")
    return form.unpack_from(data, start)


def _entry(header: tuple[int, ...], data: bytes, start: int, times: dict[int, float]) -> ZipEntry:
    """Return an entry.

    Args:
        header: its header in the directory.
        data: holds the texts behind the header.
        start: where in `data` they begin.
        times: the local times that are known already: to compute one takes longer than all the rest.
    """
    flags, method, moment, day, checksum, packed_size, size, name_size, extra_size = header[3:12]
    if flags & _UNREADABLE_FLAGS:
        raise damaged("an entry is encrypted")
    raw_name = data[start : start + name_size]
    extra = data[start + name_size : start + name_size + extra_size]
    if len(raw_name) + len(extra) < name_size + extra_size:
        raise damaged("its directory is cut off")
    is_utf8 = bool(flags & UTF8_FLAG) or raw_name.isascii()
    name = raw_name.decode("utf-8" if is_utf8 else "cp437")
    attributes, offset = header[15], header[16]
    if MAX_32 in {size, packed_size, offset}:
        size, packed_size, offset = _zip64(extra, size, packed_size, offset)
    modified, digest = _known_fields(extra)
    if modified is None and (modified := times.get(day << 16 | moment)) is None:
        modified = times[day << 16 | moment] = _local_time(day, moment)
    return ZipEntry(name, is_utf8, method, checksum, packed_size, size, attributes, offset, modified, digest)


def _known_fields(extra: bytes) -> tuple[float | None, bytes]:
    """Return the time in UTC and the digest among the extra fields of an entry: None and b"" where there is none."""
    modified, digest = None, b""
    for tag, value in _fields(extra) if extra else ():
        if tag == TIMESTAMP_FIELD and modified is None and len(value) >= 5 and value[0] & 1:
            modified = float(struct.unpack_from("<l", value, 1)[0])
        elif tag == DIGEST_FIELD and not digest and len(value) == DIGEST_SIZE:
            digest = value
    return modified, digest


def _local_time(day: int, moment: int) -> float:
    date = (day >> 9) + 1980, day >> 5 & 0xF, day & 0x1F
    return time.mktime((*date, moment >> 11, moment >> 5 & 0x3F, (moment & 0x1F) * 2, 0, 0, -1))


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
