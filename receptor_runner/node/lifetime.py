"""How long a node is needed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from receptor_runner.node.units import UnitStore

_BETWEEN_CALLS_S = 1.0
"""How long a client may take between two of its connections: one command makes several in a row."""


class JobLifetime:
    """The node of one job is needed by its starter, by its clients, while the job runs, and until that is fetched.

    Args:
        idle_timeout_s: how long ended units are served without any client.
        starter: the socket to the client that started the node; it is at its end once that client needs no node.
        control_socket: the path of the node's control socket.
    """

    CHECK_S = 0.5
    """How often to look whether the node is still needed."""

    def __init__(self, idle_timeout_s: float, starter: socket.socket, control_socket: Path) -> None:
        self._idle_timeout_s = idle_timeout_s
        self._control_socket = control_socket
        self._inode: int | None = None
        self._was_used = False
        self._starter: socket.socket | None = starter
        self._quiet_since = time.monotonic()

    def fileno(self) -> int | None:
        """Return the descriptor that becomes readable when the starter is gone; None once it is."""
        return self._starter.fileno() if self._starter else None

    def note_starter_gone(self) -> None:
        """Take note that the client which started the node does not need it any more."""
        if self._starter:
            self._starter.close()
            self._starter = None

    def is_over(self, store: UnitStore, clients: int) -> bool:
        """Return whether the node is no longer needed.

        Args:
            store: the node's units.
            clients: how many clients are connected.
        """
        if not self._is_reachable():
            return True
        units = [] if clients else store.list()
        self._was_used = self._was_used or clients > 0
        is_awaited = self._starter is not None and not self._was_used
        if clients or is_awaited or any(not unit.has_ended() for unit in units):
            self._quiet_since = time.monotonic()
            return False
        # The starter is waited for without a limit only while it packs the job. Later its end may never be seen: a
        # process that it forked holds the socket too.
        limit_s = self._idle_timeout_s if units or self._starter else _BETWEEN_CALLS_S
        return time.monotonic() - self._quiet_since >= limit_s

    def _is_reachable(self) -> bool:
        """Return whether clients still find the node.

        Whoever cleans up a directory may remove its socket too. The next client then starts another node, which waits
        for this one to let go of the units.
        """
        try:
            inode = self._control_socket.stat().st_ino
        except OSError:
            return False
        self._inode = self._inode or inode
        return inode == self._inode
