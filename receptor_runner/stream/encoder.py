"""Messages to bytes, exactly as ansible-runner writes them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from receptor_runner.stream.codec import STANDARD, Codec

EOF_LINE = b'{"eof": true}\n'
KEEPALIVE_LINE = b'{"event": "keepalive", "counter": 0, "uuid": 0}\n'


def encode_line(value: dict[str, Any]) -> bytes:
    """Return one object as a line: ASCII only, key order kept, a uuid as its 32 digits.

    Raises:
        TypeError: something in it has no JSON form.
    """
    return json.dumps(value, default=_plain).encode("ascii") + b"\n"


def _plain(value: object) -> str:
    if isinstance(value, uuid.UUID):
        return value.hex
    raise TypeError(f"{type(value).__name__} has no JSON form")


def encode_archive(size: int, chunks: Iterable[bytes], *, codec: Codec = STANDARD) -> Iterator[bytes]:
    """Yield an archive block: the header line, then base64 without any line end.

    Args:
        size: bytes of the zip file.
        chunks: the zip file, in pieces of any size.
        codec: makes the base64.
    """
    yield encode_line({"zipfile": size})
    rest = b""
    for chunk in chunks:
        data = rest + chunk if rest else chunk
        whole = len(data) // 3 * 3
        rest = data[whole:]
        yield codec.encode(data[:whole] if rest else data)
    if rest:
        yield codec.encode(rest)
