"""Threads do what they are asked to, bounded, and tell of errors."""

from __future__ import annotations

import threading
from queue import Queue

import pytest
from receptor_runner.archive import parallel
from receptor_runner.archive.parallel import Background, SharedWork
from tests.harness import wait_until


def test_calls_are_made_in_order_and_all_before_the_end() -> None:
    """What was called last is done when the block ends."""
    done: list[int] = []
    with Background() as background:
        for number in range(100):
            background.call(done.append, number)
    assert done == list(range(100))


def test_a_caller_can_wait_for_its_calls() -> None:
    """Waiting returns once nothing is queued, and calls may follow."""
    done: list[int] = []
    with Background() as background:
        for number in range(10):
            background.call(done.append, number)
        background.wait()
        assert done == list(range(10))
        background.call(done.append, 10)
    assert done == list(range(11))


def test_no_more_calls_are_queued_than_fit_into_memory() -> None:
    """A caller that is faster than the thread waits for it."""
    released, queued = threading.Event(), Queue[int]()

    def ask() -> None:
        with Background() as background:
            for number in range(10):
                background.call(lambda _number: released.wait(30), number)
                queued.put(number)

    caller = threading.Thread(target=ask)
    caller.start()
    assert [queued.get(timeout=30) for _ in range(4)] == [0, 1, 2, 3]
    assert queued.empty()
    released.set()
    caller.join(30)
    assert queued.qsize() == 6


@pytest.mark.parametrize("times", [0, 1, 100])
def test_an_error_in_the_background_reaches_the_caller(times: int) -> None:
    """At a later call, or at the end; nothing is called after it."""
    done: list[int] = []
    with pytest.raises(OSError, match="full"), Background() as background:
        background.call(_fail, "full")
        for number in range(times):
            background.call(done.append, number)
    assert done == []


def test_waiting_tells_of_an_error() -> None:
    """Whoever waits before the next step learns that the one before has failed."""
    with pytest.raises(OSError, match="full"), Background() as background:
        background.call(_fail, "full")
        background.wait()
        pytest.fail("waiting said nothing")


def test_an_error_of_the_caller_drops_what_is_queued() -> None:
    """The call that has begun ends, the others are not made, and no thread is left."""
    done: list[int] = []

    def caller() -> None:
        with Background() as background:
            background.call(lambda _number: wait_until(lambda: background._failure, "the block ends"), 0)
            background.call(done.append, 1)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        caller()
    assert done == []
    assert not [thread for thread in threading.enumerate() if thread.name == "background"]


def test_nothing_to_call_needs_no_thread() -> None:
    """Small work pays nothing."""
    with Background() as background:
        background.wait()
        assert not [thread for thread in threading.enumerate() if thread.name == "background"]


class TestSharedWork:
    """Short tasks of two threads."""

    @pytest.fixture(autouse=True)
    def two_processors(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Count on two processors, whatever this machine has."""
        monkeypatch.setattr(parallel, "processors", lambda: 2)

    def test_two_threads_share_many_tasks(self) -> None:
        """Both threads do some of them, each task is done once, and no thread is left."""
        caller, caller_works = threading.get_ident(), threading.Event()
        done: list[int] = []

        def work(number: int) -> None:
            if threading.get_ident() == caller:
                caller_works.set()
            else:
                assert caller_works.wait(30)
            done.append(number)

        shared = SharedWork(work)
        for number in range(1000):
            shared.add(number)
        shared.finish()
        assert caller_works.is_set()
        assert sorted(done) == list(range(1000))
        assert not [thread for thread in threading.enumerate() if thread.name == "parallel"]

    def test_a_helper_that_ran_dry_is_replaced(self) -> None:
        """A helper that was faster than the caller ends; for the tasks that come later there is another one."""
        caller, done = threading.get_ident(), list[bool]()
        shared = SharedWork(lambda _number: done.append(threading.get_ident() == caller))
        size = parallel._WORTH_A_THREAD + 1
        for _burst in range(2):
            before = len(done)
            for number in range(size):
                shared.add(number)
            wait_until(lambda: not shared._is_helping, "the helper has ended")
            assert len(done) == before + size
        shared.finish()
        assert not any(done)

    def test_few_tasks_need_no_thread(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Tasks that come a few at a time are done by the caller, however many there are in all."""
        monkeypatch.setattr(threading.Thread, "start", _refuse)
        done: list[int] = []
        shared = SharedWork(done.append)
        for number in range(100):
            shared.add(number)
            shared.add(-number)
            shared.finish()
        assert len(done) == 200

    @pytest.mark.parametrize("count", [1, 2])
    def test_the_caller_can_do_everything(self, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
        """On one processor no thread is started; where the system allows no more threads, the work is done without."""
        monkeypatch.setattr(parallel, "processors", lambda: count)
        monkeypatch.setattr(threading.Thread, "start", _refuse if count == 1 else _exhausted)
        done: list[int] = []
        shared = SharedWork(done.append)
        for number in range(100):
            shared.add(number)
        shared.finish()
        assert done == list(range(100))

    @pytest.mark.parametrize("bad", [0, 50, 999])
    def test_a_failure_is_raised_at_the_end_and_stays(self, bad: int) -> None:
        """What a task raises, in either thread, is raised by every later `finish`; nothing more is done."""
        done: list[int] = []

        def work(number: int) -> None:
            if number == bad:
                raise OSError("disk full")
            done.append(number)

        shared = SharedWork(work)
        for number in range(1000):
            shared.add(number)
        with pytest.raises(OSError, match="disk full"):
            shared.finish()
        before = len(done)
        shared.add(5000)
        with pytest.raises(OSError, match="disk full"):
            shared.finish()
        assert len(done) == before
        assert bad not in done


def _refuse(_thread: object) -> None:
    raise AssertionError("a thread was started")


def _exhausted(_thread: object) -> None:
    raise RuntimeError("can't start new thread")


def _fail(text: str) -> None:
    raise OSError(text)
