"""The codec of the phases gives and takes the same bytes as the standard library."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receptor_runner.codec import fastest
from receptor_runner.stream.codec import STANDARD, Codec

CODECS = {"standard": STANDARD, "fastest": fastest()}
codecs = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)


@given(st.binary(max_size=300))
def test_encoded_alike(data: bytes) -> None:
    """Base64 is the same to the byte."""
    assert fastest().encode(data) == STANDARD.encode(data)


@given(
    st.binary(max_size=60),
    st.lists(st.tuples(st.integers(0, 79), st.sampled_from(b"=\n\r -_Az+\xff")), max_size=2),
)
def test_decoded_and_refused_alike(data: bytes, changes: list[tuple[int, int]]) -> None:
    """What is no base64 for one is none for the other: blanks, strange characters, padding that is not at the end."""
    text = bytearray(STANDARD.encode(data))
    for place, character in changes:
        if text:
            text[place % len(text)] = character
    assert _decoded(fastest(), text) == _decoded(STANDARD, text)


def _decoded(codec: Codec, text: bytearray) -> bytes | None:
    try:
        return codec.decode(memoryview(text))
    except ValueError:
        return None


@codecs
@pytest.mark.parametrize(
    "text", [b"AAA", b"AA==AAAA", b"AA A", b"AAA\n", b"A===", b"=AAA", b"AA-_", b"AA\xff="]
)
def test_what_is_no_base64_is_a_value_error(codec: Codec, text: bytes) -> None:
    """Damage never decodes to something, with either codec."""
    with pytest.raises(ValueError, match=r"."):
        codec.decode(text)
