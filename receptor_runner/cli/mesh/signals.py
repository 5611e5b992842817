"""Being stopped while other processes are started or ended."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from receptor_runner.errors import Interrupted
from receptor_runner.system.signals import STOPPING


@contextmanager
def signals_as_errors(state: str) -> Iterator[None]:
    """Raise Interrupted at Ctrl-C, SIGTERM or SIGHUP, wherever the body is.

    Args:
        state: what then has become of things.
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        raise Interrupted(f"interrupted; {state}", signal_number=number)

    before = {number: signal.signal(number, stop) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ignoring_signals() -> Iterator[None]:
    """Go on to the end of the body whatever is pressed: half a removal would be worse than a moment's wait."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
