"""Lanes take one slice at a time; a slice that could not start goes to another lane, and its lane is out."""

from __future__ import annotations

import threading

from receptor_runner.slices.index import SliceEntry
from receptor_runner.slices.queue import SliceQueue
from receptor_runner.slices.running import assign
from tests.harness import wait_until


def entry(number: int, target: str | None = None) -> SliceEntry:
    """Return a slice that waits."""
    return SliceEntry(number=number, ident=f"x-slice-{number}", hosts=("a",), target=target)


def test_slices_are_handed_out_in_order() -> None:
    """A free lane takes the next slice; none is left once all have ended."""
    queue = SliceQueue([3, 4], started=0, lanes=2)
    assert [queue.take(), queue.take()] == [3, 4]
    queue.settle()
    queue.settle()
    assert queue.take() is None


def test_a_free_lane_waits_for_a_slice_that_comes_back() -> None:
    """A lane without work does not leave while a slice that another lane has may come back."""
    queue = SliceQueue([], started=1, lanes=2)
    taken: list[int | None] = []
    waiting = threading.Thread(target=lambda: taken.append(queue.take()))
    waiting.start()
    assert queue.give_back(1)
    waiting.join(10)
    assert taken == [1]


def test_the_last_lane_keeps_its_slice() -> None:
    """With no other lane left a slice is not given back; what waits can be taken out, and all lanes end."""
    queue = SliceQueue([2, 3], started=2, lanes=2)
    assert queue.give_back(1)
    assert not queue.give_back(4)
    assert queue.drain() == [1, 2, 3]
    queue.settle()
    assert queue.take() is None


def test_each_lane_begins_with_a_slice_of_its_own() -> None:
    """Slices start in the lane of their target, others in any that is free, and the rest wait in order."""
    entries = [entry(1, "b"), entry(2), entry(3, "a"), entry(4, "b")]
    assert assign(entries, ["a", "b", "c"]) == ({0: 3, 1: 1, 2: 2}, [4])
    assert assign(entries[:1], ["a", "b"]) == ({1: 1}, [])
    assert assign([entry(1), entry(2)], [None]) == ({0: 1}, [2])
    assert assign([entry(1, "a"), entry(2, "a")], ["a", "a"]) == ({0: 1, 1: 2}, [])


def test_lanes_end_together() -> None:
    """Many lanes work off many slices, each exactly once."""
    queue = SliceQueue(list(range(100)), started=0, lanes=20)
    done: list[int] = []

    def work() -> None:
        while (number := queue.take()) is not None:
            done.append(number)
            queue.settle()

    lanes = [threading.Thread(target=work) for _lane in range(20)]
    for lane in lanes:
        lane.start()
    wait_until(lambda: not any(lane.is_alive() for lane in lanes), "all lanes have ended")
    assert sorted(done) == list(range(100))
