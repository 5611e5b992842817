"""The content of a large file on its way into an archive, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from isal import isal_zlib

from receptor_runner.archive.compression import Compression
from receptor_runner.archive.zip_format import DEFLATED


class Body(NamedTuple):
    """How an entry's content stands in the archive."""

    method: int
    checksum: int
    packed_size: int
    size: int


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
