"""Threads that work beside this one: inflating, checksums and file writes release the interpreter's lock."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from types import TracebackType

_MOST_QUEUED = 4
_WORTH_A_THREAD = 16  # short tasks; starting a thread takes as long as a few of them

Item = TypeVar("Item")


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


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


class SharedWork:
    """Short tasks for two threads: this one, which finds them, and a helper while many of them are waiting.

    For system calls such as those that create files, of which each takes a few microseconds. There is one helper, for
    a directory takes one new file at a time: further threads would wait for each other. A few tasks are done by the
    caller alone, when it calls `finish`.

    Args:
        work: does a task, in either thread and in no certain order.
    """

    def __init__(self, work: Callable[..., None]) -> None:
        self._work = work
        self._waiting: deque[tuple[Any, ...]] = deque()  # its append and popleft need no lock
        self._helper: threading.Thread | None = None
        self._is_helping = False
        self._failure: BaseException | None = None
        self._may_help = processors() > 1

    def add(self, *task: Any) -> None:
        """Add a task; with enough others waiting, do one of them.

        The caller does its share between the tasks that it finds: were it only to parse meanwhile, it would keep the
        interpreter's lock, for which the helper has to wait after each system call.

        Args:
            task: arguments of `work`.
        """
        self._waiting.append(task)
        if len(self._waiting) > _WORTH_A_THREAD and self._may_help:
            if self._is_helping:
                self._do_next()
            else:
                self._start_helper()

    def finish(self) -> None:
        """Do what is waiting, and return once all tasks that were added are done.

        Raises:
            Exception: what a task raised. Those behind it are dropped, and each later call raises it again.
        """
        try:
            self._do_all()
        finally:
            self._join_helper()  # also when interrupted: nothing may be going on once this has returned
        if self._failure:
            raise self._failure

    def _start_helper(self) -> None:
        self._join_helper()
        helper = threading.Thread(target=self._help, name="parallel")
        self._is_helping = True
        try:
            helper.start()
            self._helper = helper
        except RuntimeError:  # no more threads may be started: then it goes without
            self._is_helping = False

    def _join_helper(self) -> None:
        if self._helper:
            self._helper.join()
            self._helper = None

    def _help(self) -> None:
        self._do_all()
        # It may have been faster than the caller, which then starts another one; or all would be left to the caller.
        self._is_helping = False

    def _do_all(self) -> None:
        while self._do_next():
            pass

    def _do_next(self) -> bool:
        """Do the next task; return whether there was one. After a failure there is none."""
        try:
            task = self._waiting.popleft()
        except IndexError:
            return False
        if self._failure is None:
            try:
                self._work(*task)
            except BaseException as failure:  # of either thread; `finish` raises it
                self._failure = failure
        return True
