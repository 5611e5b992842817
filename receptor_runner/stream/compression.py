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

    Args:
        level: as for `ZipWriter`.
    """

    def __init__(self, level: int) -> None:
        self._level = level

    def shrunk(self, content: bytes) -> tuple[bytes, int]:
        """Return a content as it is written, and how: stored if it does not shrink, which both ends do much faster."""
        if self._level == 0 or (len(content) > _PROBE_SIZE and self.method(content[:_PROBE_SIZE]) == STORED):
            return content, STORED
        packed = self._deflated(content)
        return (packed, DEFLATED) if len(packed) < len(content) * _WORTH_DEFLATING else (content, STORED)

    def method(self, head: bytes) -> int:
        """Decide from the first bytes of a file how it is written."""
        probe = head[:_PROBE_SIZE]
        shrinks = self._level > 0 and len(_deflated(probe, _LEVELS[3])) < len(probe) * _WORTH_DEFLATING
        return DEFLATED if shrinks else STORED

    def compressor(self) -> Compressor:
        """Return what compresses a large file in pieces."""
        if self._level in _LEVELS:
            return isal_zlib.compressobj(_LEVELS[self._level], isal_zlib.DEFLATED, -15)
        return zlib.compressobj(self._level, zlib.DEFLATED, -15)

    def _deflated(self, content: bytes) -> bytes:
        if len(content) < _TINY_SIZE:
            return _deflated(content, _TINY_LEVEL)
        if self._level in _LEVELS:
            return _deflated(content, _LEVELS[self._level])
        return zlib.compress(content, self._level, -15)


def _deflated(content: bytes, level: int) -> bytes:
    return isal_zlib.compress(content, level, -15)


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
