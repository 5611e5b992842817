"""How the content of an archive is compressed: in one call what is small, in pieces what is large."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from isal import isal_zlib

from receptor_runner.stream.zip_format import DEFLATED, STORED

_PROBE_SIZE = 64 * 1024
_WORTH_DEFLATING = 0.9
_TINY_SIZE = 4096
_RAW, _GZIP = -15, 31
_GZIP_HEADER, _GZIP_TRAILER = 10, 8
_GZIP_FRAME = _GZIP_HEADER + _GZIP_TRAILER
_LEVELS = {1: 1, 2: 3, 3: 3}  # of those that people know to those of ISA-L; from 4 on zlib does it
_TINY_LEVEL = 1  # on files of a few kilobytes a better one only costs time


class Body(NamedTuple):
    """How an entry's content stands in the archive."""

    method: int
    checksum: int
    packed_size: int
    size: int


class Compression:
    """How hard an archive is compressed.

    Attributes:
        level: as for `ZipWriter`.
    """

    def __init__(self, level: int) -> None:
        self.level = level

    def pack(self, content: bytes) -> bytes | None:
        """Compress a content, or return None for what will not shrink.

        It is a gzip file, since so its checksum is taken in the same call.
        """
        size = len(content)
        if self.level == 0 or (size > _PROBE_SIZE and self.method(content) == STORED):
            return None
        if size < _TINY_SIZE:
            return isal_zlib.compress(content, _TINY_LEVEL, _GZIP)
        if self.level in _LEVELS:
            return isal_zlib.compress(content, _LEVELS[self.level], _GZIP)
        return zlib.compress(content, self.level, _GZIP)

    def method(self, head: bytes) -> int:
        """Decide from the first bytes of a file how it is written."""
        probe = head[:_PROBE_SIZE]
        packed = isal_zlib.compress(probe, _LEVELS[3], _RAW) if self.level > 0 else probe
        return DEFLATED if len(packed) < len(probe) * _WORTH_DEFLATING else STORED

    def compressor(self) -> Compressor:
        """Return what compresses a large file in pieces."""
        if self.level in _LEVELS:
            return isal_zlib.compressobj(_LEVELS[self.level], isal_zlib.DEFLATED, _RAW)
        return zlib.compressobj(self.level, zlib.DEFLATED, _RAW)


def packed_entry(content: bytes, packed: bytes | None) -> tuple[bytes, int, int]:
    """Return a content as it is written, how that is packed, and the checksum of the content.

    What hardly shrinks is stored, which both ends do much faster.

    Args:
        content: all of it.
        packed: what `Compression.pack` made of it.
    """
    if packed is None:
        return content, STORED, isal_zlib.crc32(content)
    checksum = int.from_bytes(packed[-8:-4], "little")
    if len(packed) - _GZIP_FRAME < len(content) * _WORTH_DEFLATING:
        return packed[_GZIP_HEADER:-_GZIP_TRAILER], DEFLATED, checksum
    return content, STORED, checksum


class Compressor(Protocol):
    """What compresses in pieces."""

    def compress(self, data: bytes, /) -> bytes:
        """Take a piece; return what is ready."""

    def flush(self) -> bytes:
        """Return the rest."""


class Flow:
    """Content on its way into the archive: compressed, counted, and its checksum taken."""

    def __init__(self, compression: Compression, method: int) -> None:
        self._compression = compression
        self._method = method
        self._checksum = self.packed_size = self.size = 0

    @property
    def body(self) -> Body:
        """What has passed so far."""
        return Body(self._method, self._checksum, self.packed_size, self.size)

    def pieces(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the content as it stands in the archive."""
        packer = self._compression.compressor() if self._method == DEFLATED else None
        for chunk in chunks:
            self.size += len(chunk)
            self._checksum = isal_zlib.crc32(chunk, self._checksum)
            yield self._counted(packer.compress(chunk) if packer else chunk)
        if packer:
            yield self._counted(packer.flush())

    def _counted(self, piece: bytes) -> bytes:
        self.packed_size += len(piece)
        return piece
