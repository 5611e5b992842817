"""The processes of a node, seen from here: only where its process ids mean the same on both sides."""

from __future__ import annotations

import contextlib
import os
import signal

from receptor_runner.errors import NodeUnavailable
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.system.processes import is_alive, shares_pid_namespace, standard_stream


class NodeProcesses:
    """The processes that a node names, as far as they can be seen from here."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def lives(self, pid: int) -> bool | None:
        """Return whether a process on the node's machine is alive; None where that cannot be seen from here."""
        return is_alive(pid) if self._are_visible() else None

    def interrupt_worker(self, unit_id: str, pid: int) -> None:
        """Send SIGINT to a unit's worker without its node.

        Source: cancel and release of the daemon go through the command runner; once that is dead they reach nobody,
        and the worker runs on.
        """
        # The node may name a process id that was reused: only a process that reads this unit's payload is its worker.
        with contextlib.suppress(OSError):
            if self._are_visible() and standard_stream(pid, 0).endswith(f"/{unit_id}/stdin"):
                os.kill(pid, signal.SIGINT)

    def _are_visible(self) -> bool:
        """Return whether the node is on this machine, behind a unix socket, and shares our pid namespace."""
        try:
            node = self._control.process_id()
            return node is not None and shares_pid_namespace(node)
        except (OSError, NodeUnavailable):
            return False
