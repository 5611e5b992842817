"""One handle for a unit: its status and results, and the only place that cancels and releases units."""

from __future__ import annotations

import logging
import time

from receptor_runner.errors import NodeUnavailable, UnknownUnit
from receptor_runner.receptor.control.processes import NodeProcesses
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.control.results import Results
from receptor_runner.receptor.control.unit import UnitState, UnitStatus

log = logging.getLogger("receptor_runner.unit")

_POLL_S = 0.1
_END_POLL_S = 0.01
_ENDS_WITHIN_S = 1.0
_CANCEL_WITHIN_S = 30.0
_GONE_WITHIN_S = 10.0


class Unit:
    """A unit of the local node.

    Args:
        control: the control service of the local node.
        unit_id: the unit's id there.

    Attributes:
        unit_id: the unit's id.
        control: the control service of the local node.
    """

    def __init__(self, control: Control, unit_id: str) -> None:
        self.unit_id = unit_id
        self.control = control
        self._processes = NodeProcesses(control)

    def status(self) -> UnitStatus:
        """Return the unit's status.

        Raises:
            UnknownUnit: the node does not know the unit.
            NodeUnavailable: the node does not answer.
        """
        return self.control.unit_status(self.unit_id)

    def results(self, offset: int = 0) -> Results:
        """Open the unit's results from a byte offset on.

        Raises:
            UnknownUnit: the node does not know the unit.
            NodeUnavailable: the node does not answer.
        """
        return self.control.results(self.unit_id, offset)

    def runner_lives(self, pid: int) -> bool | None:
        """Return whether the process of a command runner is alive; None where that cannot be seen from here."""
        return self._processes.lives(pid)

    def is_routed(self, node: str) -> bool:
        """Return whether the local node has a route to `node`."""
        return self.control.is_routed(node)

    def cancel(self) -> bool:
        """Stop the unit, whatever it is doing. A cancel that has no effect is repeated; then the unit is released.

        Returns:
            False if the cancel is pending because the node where the unit runs is out of reach.

        Raises:
            UnknownUnit: the node does not know the unit.
            NodeUnavailable: the node does not answer.

        Source: the daemon answers `cancelled` for a unit that waits for its payload or its start, and runs it
        nevertheless; likewise for one whose command runner is dead. A unit that is released before its start never
        runs.
        """
        deadline = time.monotonic() + _CANCEL_WITHIN_S
        # Looked up before the first cancel: afterwards the status is Canceled and does not name the worker any more.
        abandoned = self._abandoned_worker(self.status())
        while True:
            done = self.control.cancel(self.unit_id)
            if abandoned is not None:
                self._processes.interrupt_worker(self.unit_id, abandoned)
            if not done or not self._waits_here():
                return done
            if time.monotonic() > deadline:
                return self.release()
            time.sleep(_POLL_S)

    def release(self, *, force: bool = False) -> bool:
        """Stop and remove the unit; one that the node does not know counts as removed.

        Args:
            force: remove it from the local node even if the node where it runs is out of reach.

        Returns:
            False if the release is pending because the node where the unit runs is out of reach.

        Raises:
            NodeUnavailable: the node does not answer.
        """
        try:
            return self.control.release(self.unit_id, force=force)
        except UnknownUnit:
            return True

    def discard(self, *, force: bool = False) -> bool:
        """Release a unit that nobody needs any more; log a failure instead of raising it; return whether it is gone."""
        try:
            return self.release(force=force)
        except NodeUnavailable as error:
            log.warning("unit %s could not be released: %s", self.unit_id, error)
            return False

    def discard_and_wait(self, *, within_s: float = _GONE_WITHIN_S) -> bool:
        """Discard the unit and wait until the local node has forgotten it; return whether it has.

        Source: the release of a remote unit is answered before the unit is gone, that of a local one afterwards. The
        daemon logs errors for each question about a unit that it does not know, so a local one is not asked about.
        """
        has_ended_here = self._await_end()
        if not self.discard():
            return False
        if has_ended_here:
            return True
        deadline = time.monotonic() + within_s
        try:
            while time.monotonic() < deadline:
                self.status()
                time.sleep(_POLL_S)
        except UnknownUnit:
            return True
        except NodeUnavailable as error:
            log.warning("unit %s is released, but its node does not answer: %s", self.unit_id, error)
        return False

    def _await_end(self) -> bool:
        """Give a local unit whose stream has ended a moment to end by itself; return whether it has.

        Its worker is removing its directory. A release interrupts it, and what the job left running on purpose should
        not meet that. How a remote unit stands is known a second later at best, so it is not asked.
        """
        deadline = time.monotonic() + _ENDS_WITHIN_S
        try:
            while time.monotonic() < deadline:
                status = self.status()
                if status.remote_node:
                    return False
                if status.state.is_final:
                    return True
                time.sleep(_END_POLL_S)
        except NodeUnavailable:
            pass  # the release tells
        return False

    def interrupt_abandoned_worker(self, status: UnitStatus) -> None:
        """Interrupt a worker whose command runner is dead: cancel and release do not reach it."""
        worker = self._abandoned_worker(status)
        if worker is not None:
            self._processes.interrupt_worker(self.unit_id, worker)

    def _abandoned_worker(self, status: UnitStatus) -> int | None:
        """Return the process of a worker whose command runner is dead."""
        runner = status.runner_pid
        # The daemon sets the extra data to null once the command runner is gone; after a restart it keeps them.
        is_abandoned = status.extra is None or (runner is not None and self.runner_lives(runner) is False)
        return status.worker_pid if is_abandoned else None

    def _waits_here(self) -> bool:
        """Return whether the unit waits for its payload or its start on the local node."""
        try:
            status = self.status()
        except UnknownUnit:
            return False
        return status.state is UnitState.PENDING and not status.remote_node
