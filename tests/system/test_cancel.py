"""The token that carries a request to whoever waits."""

from __future__ import annotations

import gc
import os
import select
import signal
import threading
from pathlib import Path

from receptor_runner.system.cancel import CancelToken


def test_a_request_is_seen_by_everyone() -> None:
    """A request made twice shows in the flag, ends every wait at once and makes the descriptor readable for good."""
    token = CancelToken()
    assert [token.requested, token.wait(0)] == [False, False]
    token.request()
    token.request()
    assert [token.requested, token.wait(600), token.wait(600)] == [True, True, True]
    for _ in range(2):
        assert select.select([token], [], [], 0)[0] == [token]
    token.close()


def test_a_request_before_the_first_look_is_seen() -> None:
    """A descriptor that is asked for only after the request is readable at once."""
    token = CancelToken()
    token.request()
    assert select.select([token], [], [], 0)[0] == [token]
    token.close()


def test_a_thread_wakes_the_waiter() -> None:
    """A request from another thread ends a long wait."""
    token = CancelToken()
    threading.Timer(0.05, token.request).start()
    assert token.wait(600)
    token.close()


def test_a_signal_handler_may_request() -> None:
    """A request from a signal handler ends a wait of the main thread, whatever that thread was doing."""
    token = CancelToken()
    previous = signal.signal(signal.SIGUSR1, lambda *_: token.request())
    try:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        assert token.wait(600)
    finally:
        signal.signal(signal.SIGUSR1, previous)
        token.close()


def test_many_requests_never_block() -> None:
    """However often the request is made, making it does not block on a pipe that nobody empties."""
    token = CancelToken()
    token.fileno()
    for _ in range(70_000):
        token.request()
    token.close()


def test_descriptors_go_with_the_token() -> None:
    """A token that nobody waits on opens no descriptor, and one that is dropped leaves none open."""
    gc.collect()  # what earlier tests left to collect would close descriptors in between
    before = len(list(Path("/proc/self/fd").iterdir()))
    tokens = [CancelToken() for _ in range(50)]
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    for token in tokens:
        token.fileno()
    del tokens, token
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
