"""The encoder: exactly the bytes that ansible-runner writes."""

from __future__ import annotations

import base64
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receptor_runner.stream.encoder import EOF_LINE, KEEPALIVE_LINE, encode_archive, encode_line


def test_a_line_is_ascii_with_the_usual_separators_and_the_given_order() -> None:
    """A line has Python's own separators, only ASCII, its keys in the order given, and one line end."""
    assert encode_line({"b": "é\n", "a": [1, None]}) == b'{"b": "\\u00e9\\n", "a": [1, null]}\n'
    assert encode_line({"x": "\udcff"}) == b'{"x": "\\udcff"}\n'
    assert encode_line({"eof": True}) == EOF_LINE
    assert encode_line({"event": "keepalive", "counter": 0, "uuid": 0}) == KEEPALIVE_LINE


def test_a_uuid_becomes_its_digits() -> None:
    """A uuid travels as 32 digits without dashes."""
    one = uuid.uuid4()
    assert encode_line({"ident": one}) == f'{{"ident": "{one.hex}"}}\n'.encode()


def test_what_has_no_json_form_is_an_error() -> None:
    """Bytes cannot travel."""
    with pytest.raises(TypeError, match="bytes has no JSON form"):
        encode_line({"x": b"y"})


@given(st.lists(st.binary(max_size=20), max_size=8))
def test_an_archive_is_one_run_of_base64_however_it_is_cut(chunks: list[bytes]) -> None:
    """The text of an archive is the base64 of the whole, without a line end, whatever the pieces."""
    whole = b"".join(chunks)
    block = b"".join(encode_archive(len(whole), chunks))
    assert block == encode_line({"zipfile": len(whole)}) + base64.b64encode(whole)
