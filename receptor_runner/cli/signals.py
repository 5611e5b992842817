"""What SIGINT, SIGTERM and SIGHUP do to a command from its start: they stop it where it is.

Nothing else is imported here: each command begins with this.
"""

from __future__ import annotations

import signal
from types import FrameType

from receptor_runner.system.signals import STOPPING


class Stopped(KeyboardInterrupt):
    """SIGTERM or SIGHUP, raised wherever the command is, as Python raises KeyboardInterrupt at Ctrl-C.

    No error of ours: code that takes one for an answer of a node, and goes on, must not do so with this.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__()
        self.signal_number = signal_number


def signal_of(stop: KeyboardInterrupt) -> int:
    """Return which signal it was."""
    return stop.signal_number if isinstance(stop, Stopped) else signal.SIGINT


def stop_at_signals() -> None:
    """Raise KeyboardInterrupt at SIGINT, and its kind `Stopped` at SIGTERM and SIGHUP, from now on.

    A signal that is ignored stays so: nohup does that, and a shell for what it runs in the background.
    """
    handle(_stop)


def _stop(number: int, _frame: FrameType | None) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Stopped(number)


def handle(handler: object) -> None:
    """Have a handler called at each of these signals that is not ignored."""
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)  # type: ignore[arg-type]  # typeshed has no name for a handler
