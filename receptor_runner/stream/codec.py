"""Base64, which is most of the work of a big stream.

The standard library does it; a faster one can be handed to whatever sends or receives.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

Bytes = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """A pair of functions.

    Attributes:
        encode: bytes to their base64, without a line end.
        decode: base64 to bytes; a ValueError for anything that is none, blanks included.
    """

    encode: Callable[[Bytes], bytes]
    decode: Callable[[Bytes], bytes]


STANDARD = Codec(
    encode=partial(binascii.b2a_base64, newline=False),
    decode=partial(binascii.a2b_base64, strict_mode=True),
)
"""The standard library's."""
