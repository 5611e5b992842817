"""The processes of a node, seen from here: only where its process ids mean the same on both sides."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from receptor_runner.errors import NodeUnavailable
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.system.processes import is_alive, open_file, shares_pid_namespace, standard_stream

_OPEN_ATTEMPTS, _OPEN_PAUSE_S = 5, 0.01


class NodeProcesses:
    """The processes that a node names, as far as they can be seen from here."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def lives(self, pid: int) -> bool | None:
        """Return whether a process on the node's machine is alive; None where that cannot be seen from here."""
        return is_alive(pid) if self._are_visible() else None

    def open_output(self, unit_id: str, runner: int) -> int | None:
        """Open the file in which a command runner collects the output of a unit; return its descriptor.

        Args:
            unit_id: the unit.
            runner: the process of its command runner.

        Returns:
            None if the file cannot be seen, or not be read: it belongs to the user of the node.
        """
        if not self._are_visible():
            return None
        for _attempt in range(_OPEN_ATTEMPTS):
            try:
                if path := open_file(runner, f"/{unit_id}/stdout"):
                    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return None
            time.sleep(_OPEN_PAUSE_S)  # it has only just begun
        return None

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
