"""A cancel that is asked for beside the stream, because the node answers only when the worker is gone."""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from receptor_runner.errors import NodeUnavailable, UnknownUnit
from receptor_runner.receptor.control.retry import RetryPolicy
from receptor_runner.system.cancel import CancelToken

log = logging.getLogger("receptor_runner.unit")

_SENT_WITHIN_S = 1.0
"""How long a detach waits for the request to be sent; the reply may take ten times as long."""


class CancelableUnit(Protocol):
    """A unit that can be canceled."""

    unit_id: str

    def cancel(self) -> bool:
        """Stop it; return False if that is pending because its node is out of reach."""


class CancelThread:
    """Cancels a unit in a thread of its own, once.

    Args:
        unit: the unit.
        retry: how it is asked again while the node does not answer.
        detach: ends the retries.
    """

    def __init__(self, unit: CancelableUnit, retry: RetryPolicy, detach: CancelToken) -> None:
        self._unit = unit
        self._retry = retry
        self._detach = detach
        # A daemon thread: nobody waits for a reply that takes longer than the process wants to live.
        self._thread = threading.Thread(target=self._cancel, name="cancel", daemon=True)

    @property
    def started(self) -> bool:
        """Whether the cancel was asked for."""
        return self._thread.ident is not None

    def start(self) -> None:
        """Ask for the cancel; asking again changes nothing."""
        if not self.started:
            self._thread.start()

    def await_sent(self) -> None:
        """Give the request the time to be sent."""
        self._thread.join(_SENT_WITHIN_S)

    def _cancel(self) -> None:
        what = f"canceling unit {self._unit.unit_id}"
        try:
            if not self._retry.call(self._unit.cancel, what, self._detach):
                log.warning(
                    "the cancel of unit %s is pending: its node is out of reach; the local node repeats it",
                    self._unit.unit_id,
                )
        except UnknownUnit:
            return  # its results arrived, and it was released, before the node answered
        except NodeUnavailable as error:
            log.warning("unit %s could not be canceled: %s", self._unit.unit_id, error)
