"""A place in a stream."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in the stream from which decoding can go on.

    Attributes:
        offset: bytes of the stream before it.
        archive_size: size of the archive it lies in, or None outside of archives.
        archive_received: bytes of that archive before it.
        ended: whether the stream's own end lies before it.
    """

    offset: int = 0
    archive_size: int | None = None
    archive_received: int = 0
    ended: bool = False
