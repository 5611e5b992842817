"""What Ctrl-C, SIGTERM and SIGHUP do to a command: they stop it where it is, or are requests while it follows jobs.

There is always a handler of ours, from the start of a command to its end: a signal that met the system's own in between
would end the client without a word.
"""

from __future__ import annotations

import signal
from types import FrameType

from receptor_runner.cli import messages
from receptor_runner.system.cancel import CancelToken
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
    _handle(_stop)


def _stop(number: int, _frame: FrameType | None) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Stopped(number)


def _handle(handler: object) -> None:
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)  # type: ignore[arg-type]  # typeshed has no name for a handler


class Interrupts:
    """The first Ctrl-C or SIGTERM cancels and waits for the remaining output, the second detaches; or the first does.

    SIGHUP detaches: who closes a terminal does not ask for the end of the job.

    Args:
        canceling: what the first one is answered: that something is canceled, and what is waited for.
        cancel_on_interrupt: whether the first one cancels.

    Attributes:
        cancel: requested by the first one.
        detach: requested by the second one, or by the first one that does not cancel.
        signal_number: the first signal that came; 0 if none did.
    """

    def __init__(self, canceling: str, *, cancel_on_interrupt: bool = True) -> None:
        self.cancel = CancelToken()
        self.detach = CancelToken()
        self.signal_number = 0
        self.cancel_on_interrupt = cancel_on_interrupt
        self._canceling = canceling

    def catch(self) -> None:
        """Take the signals as requests from now on."""
        _handle(self._interrupted)

    def _interrupted(self, number: int, _frame: FrameType | None) -> None:
        is_first, self.signal_number = not self.signal_number, self.signal_number or number
        if not is_first or not self.cancel_on_interrupt or number == signal.SIGHUP:
            self.detach.request()
            return
        self.cancel.request()
        messages.note_at_once(f"{self._canceling} (press again to detach)")
