"""How the content of an archive is compressed: in one call what is small, in pieces what is large."""

from __future__ import annotations

import zlib

from isal import isal_zlib

from receptor_runner.archive.zip_format import DEFLATED, STORED

TYPE_CHECKING = False  # the second process starts in half of the time without `typing`
if TYPE_CHECKING:
    from typing import Protocol

    class Compressor(Protocol):
        """What compresses in pieces."""

        def compress(self, data: bytes, /) -> bytes:
            """Take a piece; return what is ready."""

        def flush(self) -> bytes:
            """Return the rest."""


_PROBE_SIZE = 64 * 1024
_WORTH_DEFLATING = 0.9
_TINY_SIZE = 8192
_RAW, _GZIP = -15, 31
_GZIP_HEADER, _GZIP_TRAILER = 10, 8
_GZIP_FRAME = _GZIP_HEADER + _GZIP_TRAILER
_LEVELS = {1: 1, 2: 3, 3: 3}  # of those that people know to those of ISA-L; from 4 on zlib does it
_TINY_LEVEL = 1  # on files of a few kilobytes a better one only costs time


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
