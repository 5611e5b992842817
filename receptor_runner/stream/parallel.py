"""Work on several processors at once: compression, checksums and file writes release the interpreter's lock."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_MOST_THREADS = 4  # each one holds what it works on in memory

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
