"""What Ctrl-C asks for while jobs are followed."""

from __future__ import annotations

import signal
from types import FrameType

from receptor_runner.cli import messages
from receptor_runner.system.cancel import CancelToken


class Interrupts:
    """The first Ctrl-C or SIGTERM cancels and waits for the remaining output, the second detaches; or the first does.

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
        """Handle the signals from now on."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupted)

    def _interrupted(self, number: int, _frame: FrameType | None) -> None:
        is_first, self.signal_number = not self.signal_number, self.signal_number or number
        if not is_first or not self.cancel_on_interrupt:
            self.detach.request()
            return
        self.cancel.request()
        messages.note_at_once(f"{self._canceling} (press again to detach)")
