"""Messages to bytes, exactly as ansible-runner writes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pybase64 import b64encode

EOF_LINE = b'{"eof": true}\n'
QUESTION_PREFIX = b"lacking "
RESULTS_LEVEL = "results_compression_level"
KEEPALIVE_LINE = b'{"event": "keepalive", "counter": 0, "uuid": 0}\n'


def encode_line(value: dict[str, Any]) -> bytes:
    """Return one object as a line: ASCII only, key order kept, a uuid as its 32 digits.

    Raises:
        TypeError: something in it has no JSON form.
    """
    return _encode(value).encode("ascii") + b"\n"


def encode_results_level(level: int) -> bytes:
    """Return how hard a worker is asked to compress its results, as a line that workers which do not know it skip.

    Args:
        level: 0 to 9.
    """
    return encode_line({RESULTS_LEVEL: level})


def encode_question(digests: Iterable[bytes]) -> bytes:
    """Return the question which of some digests a worker lacks, as a line that is not JSON.

    Args:
        digests: SHA-256 of files.

    Source: ansible-runner 2.4.3's worker passes over messages that it does not know, and would then look for a job in
    its own directory; a line that is not JSON is what it refuses before it does anything.
    """
    return QUESTION_PREFIX + json.dumps([digest.hex() for digest in digests]).encode() + b"\n"


def _plain(value: object) -> str:
    import uuid

    if isinstance(value, uuid.UUID):
        return value.hex
    raise TypeError(f"{type(value).__name__} has no JSON form")


_encode = json.JSONEncoder(default=_plain).encode  # json.dumps makes an encoder for each call


def encode_archive(size: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield an archive block: the header line, then base64 without any line end.

    Args:
        size: bytes of the zip file.
        chunks: the zip file, in pieces of any size.
    """
    yield encode_line({"zipfile": size})
    rest = b""
    for chunk in chunks:
        data = rest + chunk if rest else chunk
        whole = len(data) // 3 * 3
        rest = data[whole:]
        yield b64encode(data[:whole] if rest else data)
    if rest:
        yield b64encode(rest)
