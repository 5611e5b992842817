"""Values go through a pipe whole, or not at all."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
from receptor_runner.archive.frames import encode_frame, read_frame, write_all


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe: to read from, and to write to."""
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)


def test_values_come_as_they_were(pipe: tuple[int, int]) -> None:
    """Of any size, in their order, also names that are no UTF-8; then there are no more."""
    reader, writer = pipe
    values = [[], [("\udce4", b"\xff", 1, 1.5, True)], bytes(3_000_000), "last"]

    def write() -> None:
        for value in values:
            write_all(writer, encode_frame(value))
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    assert [read_frame(reader) for _value in values] == values
    thread.join()
    assert read_frame(reader) is None


@pytest.mark.parametrize("size", [1, 8, 9, 20])
def test_half_a_value_is_none(pipe: tuple[int, int], size: int) -> None:
    """If the other end dies while it writes, what it wrote does not count."""
    reader, writer = pipe
    write_all(writer, encode_frame(b"0123456789"))
    os.close(writer)
    half = os.read(reader, size)
    again, end = os.pipe()
    os.write(end, half)
    os.close(end)
    assert read_frame(again) is None
    os.close(again)
