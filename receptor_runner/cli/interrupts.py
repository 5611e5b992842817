"""What Ctrl-C, SIGTERM and SIGHUP are to a command that follows jobs: requests.

There is always a handler of ours, from the start of a command to its end: a signal that met the system's own in between
would end the client without a word.
"""

from __future__ import annotations

import signal
from types import FrameType

from receptor_runner.cli import messages
from receptor_runner.cli.signals import handle
from receptor_runner.system.cancel import CancelToken


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
        handle(self._interrupted)

    def _interrupted(self, number: int, _frame: FrameType | None) -> None:
        is_first, self.signal_number = not self.signal_number, self.signal_number or number
        if not is_first or not self.cancel_on_interrupt or number == signal.SIGHUP:
            self.detach.request()
            return
        self.cancel.request()
        messages.note_at_once(f"{self._canceling} (press again to detach)")
