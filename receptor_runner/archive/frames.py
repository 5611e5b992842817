"""Values between a process and its helpers: each is one frame, its size and then its bytes."""

from __future__ import annotations

import marshal
import os

TYPE_CHECKING = False  # the second process starts in half of the time without `typing`
if TYPE_CHECKING:
    from typing import Any

_SIZE_BYTES = 8


def encode_frame(value: Any) -> bytes:
    """Return a value as a frame.

    Args:
        value: whatever `marshal` takes; both ends are of the same interpreter.
    """
    data = marshal.dumps(value)
    return len(data).to_bytes(_SIZE_BYTES, "little") + data


def read_frame(descriptor: int) -> Any:
    """Return the next value, or None if there is no more, or no whole one.

    Args:
        descriptor: a pipe from a process of ours.

    Raises:
        OSError: it cannot be read.
    """
    size = _read(descriptor, _SIZE_BYTES)
    data = _read(descriptor, int.from_bytes(size, "little")) if size else b""
    return marshal.loads(data) if data else None  # noqa: S302 - from a process of ours


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of the bytes."""
    written = os.write(descriptor, content) if content else 0
    while written < len(content):
        written += os.write(descriptor, memoryview(content)[written:])


def _read(descriptor: int, size: int) -> bytes | bytearray:
    """Return so many bytes, or none if the end comes before them."""
    data = os.read(descriptor, size)
    if len(data) == size:
        return data
    whole = bytearray(data)
    while data and len(whole) < size:
        data = os.read(descriptor, size - len(whole))
        whole += data
    return whole if len(whole) == size else b""
