"""Work on several processors at once: compression, checksums and file writes release the interpreter's lock."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future
    from types import TracebackType

_MOST_THREADS = 4  # each one holds what it works on in memory
_MOST_QUEUED = 4

Item = TypeVar("Item")
Result = TypeVar("Result")


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


def ordered_map(
    work: Callable[[Item], Result], items: Iterable[Item], *, ahead: int | None = None
) -> Iterator[Result]:
    """Yield the results of a function in the order of its arguments, while threads work on those that follow.

    A caller that stops early waits for the calls that have begun; the others are dropped.

    Args:
        work: called in a thread; what it raises is raised in its place.
        items: arguments; taken in the caller's thread, and no more than are needed.
        ahead: how many items are worked on, or wait with their results; by default two for each thread.
    """
    from concurrent.futures import ThreadPoolExecutor  # 10 ms, which small work should not wait for

    threads = min(processors(), _MOST_THREADS)
    limit = ahead or 2 * threads
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="parallel") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= limit:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


class Background:
    """Calls functions one after the other in a thread, while the caller prepares the next call.

    The thread starts with the first call. When its `with` block ends, all calls have returned; if it ends with an
    exception, those that have not begun by then are dropped.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        # One item for each call that may still be queued: a semaphore without a lock written in Python.
        self._room: SimpleQueue[None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._failure = self._failure or error
        if self._thread:
            self._calls.put(None)
            self._thread.join()
        if self._failure and not error:
            raise self._failure

    def call(self, function: Callable[[Item], object], argument: Item) -> None:
        """Have a function called; wait while too many calls are queued.

        Args:
            function: called in the thread, after all those before it.
            argument: its only argument.

        Raises:
            BaseException: what an earlier call raised; the calls after that one were dropped.
        """
        if self._thread is None:
            self._start()
        self._room.get()
        self._calls.put(partial(function, argument))
        if self._failure:
            raise self._failure

    def wait(self) -> None:
        """Wait until all calls have returned.

        Raises:
            BaseException: what one of them raised.
        """
        if self._thread:
            for _call in range(_MOST_QUEUED):
                self._room.get()
            for _call in range(_MOST_QUEUED):
                self._room.put(None)
        if self._failure:
            raise self._failure

    def _start(self) -> None:
        for _call in range(_MOST_QUEUED):
            self._room.put(None)
        self._thread = threading.Thread(target=self._run, name="background", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while call := self._calls.get():
            try:
                if not self._failure:
                    call()
            except BaseException as error:  # the caller waits for room: whatever it is, it has to be told
                self._failure = error
            finally:
                self._room.put(None)
