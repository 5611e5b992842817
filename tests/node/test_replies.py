"""Replies as bytes."""

from __future__ import annotations

import pytest
from receptor_runner.node.replies import Ordered, encode_error, encode_reply, format_duration


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (891, "891ns"),
        (20_821, "20.821µs"),
        (1_500_000, "1.5ms"),
        (2_000_000_000, "2s"),
    ],
)
def test_durations_look_like_receptors(nanoseconds: int, text: str) -> None:
    """A duration has the unit that fits, without trailing zeros."""
    assert format_duration(nanoseconds) == text


def test_maps_are_sorted_and_structures_are_not() -> None:
    """A reply's maps are sorted by key at every level; structures keep their order."""
    reply: dict[str, object] = {"b": {"d": 1, "c": [{"z": 1, "a": 2}]}, "a": Ordered(z=1, a=2)}
    assert encode_reply(reply) == b'{"a":{"z":1,"a":2},"b":{"c":[{"a":2,"z":1}],"d":1}}\n'


def test_error_is_one_line() -> None:
    """Whatever the text, an error is one line."""
    assert encode_error("a\nb\r\n\u2028c \ud800") == b"ERROR: a b  c ?\n"
