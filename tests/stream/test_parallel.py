"""Work of several threads comes back in order, bounded, and with its errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from receptor_runner.stream.parallel import ordered_map


def test_results_come_in_order_whatever_takes_longer() -> None:
    """The first result is the first item's, although that took longer."""
    released = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert released.wait(30)
        return number * 10

    def items() -> Iterator[int]:
        yield 0
        yield 1
        released.set()

    assert list(ordered_map(work, items(), ahead=8)) == [0, 10]


def test_no_more_items_are_taken_than_may_wait() -> None:
    """What is taken ahead of the caller is bounded."""
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = ordered_map(lambda number: number, items(), ahead=3)
    assert next(results) == 0
    assert len(taken) == 3
    assert list(results) == list(range(1, 100))


def test_an_error_is_raised_in_its_place() -> None:
    """Results before it arrive, and nothing after it."""

    def work(number: int) -> int:
        if number == 2:
            raise ValueError("two")
        return number

    results = ordered_map(work, range(5))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)


def test_an_error_of_the_items_is_raised_too() -> None:
    """A source that fails is not taken for its end."""

    def items() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(ordered_map(lambda number: number, items()))


def test_a_caller_that_stops_leaves_no_thread() -> None:
    """Closing the generator ends its threads."""
    results = ordered_map(lambda number: number, range(1000))
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("parallel")]
