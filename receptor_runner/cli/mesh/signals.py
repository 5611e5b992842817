"""Being stopped while other processes are started or ended."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from receptor_runner.errors import Interrupted
from receptor_runner.system.signals import STOPPING


@contextmanager
def signals_as_errors(state: str) -> Iterator[None]:
    """Raise Interrupted at Ctrl-C, SIGTERM or SIGHUP, wherever the body is.

    A signal that is ignored stays so: nohup does that, and a shell for what it runs in the background.

    Args:
        state: what then has become of things.
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        raise Interrupted(f"interrupted; {state}", signal_number=number)

    heeded = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
    with _handling(heeded, stop):
        yield


@contextmanager
def ignoring_signals() -> Iterator[None]:
    """Go on to the end of the body whatever is pressed: half a removal would be worse than a moment's wait."""
    with _handling(STOPPING, signal.SIG_IGN):
        yield


@contextmanager
def _handling(numbers: Iterable[signal.Signals], handler: Any) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
