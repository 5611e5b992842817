"""Waiting for a program's output: at once after a pause, collected while events come closely."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from receptor_runner.execution import arrivals
from receptor_runner.execution.arrivals import Arrivals


def pipe() -> Iterator[tuple[int, int]]:
    """Provide a pipe: its reading and its writing end."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


text, events = pytest.fixture(name="text")(pipe), pytest.fixture(name="events")(pipe)


def test_what_has_arrived_is_named(text: tuple[int, int], events: tuple[int, int]) -> None:
    """Each descriptor that can be read is in the answer, and no other."""
    waiting = Arrivals(text[0], events=events[0])
    assert waiting.wait(0) == set()
    os.write(events[1], b"e")
    assert waiting.wait(10) == {events[0]}
    os.write(text[1], b"t")
    assert waiting.wait(10) == {text[0], events[0]}


def test_events_are_left_for_a_moment(
    text: tuple[int, int], events: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While events are collected, only other descriptors end the wait."""
    monkeypatch.setattr(arrivals, "COLLECT_S", 3600.0)
    waiting = Arrivals(text[0], events=events[0])
    waiting.collect_events()
    os.write(events[1], b"e")
    assert waiting.wait(0.01) == set()
    os.write(text[1], b"t")
    assert waiting.wait(10) == {text[0]}


def test_collected_events_end_the_wait_when_the_moment_is_over(
    text: tuple[int, int], events: tuple[int, int]
) -> None:
    """A wait that began while events were collected ends with them, not at its own limit."""
    waiting = Arrivals(text[0], events=events[0])
    waiting.collect_events()
    waiting.collect_events()
    os.write(events[1], b"e")
    assert waiting.wait(60) == {events[0]}


def test_an_ignored_descriptor_ends_no_wait(text: tuple[int, int], events: tuple[int, int]) -> None:
    """It may be readable for ever."""
    waiting = Arrivals(text[0], events=events[0])
    waiting.ignore(text[0])
    os.write(text[1], b"t")
    assert waiting.wait(0.01) == set()
