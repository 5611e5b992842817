"""`work results`: what a unit's command wrote, from a byte offset on, until the unit's end."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from typing import TYPE_CHECKING

from receptor_runner.node.work import refuse_signature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from receptor_runner.node.connection import ClientConnection
    from receptor_runner.node.requests import WorkRequest
    from receptor_runner.node.state import NodeState
    from receptor_runner.node.units import Unit

SHORTEST_WAIT_S = 0.01
LONGEST_WAIT_S = 0.2
BUSY_S = 1.0
"""How long after its last output a unit is still looked at in short intervals."""
_WAIT_GROWTH = 1.4
_log = logging.getLogger("receptor_runner.node")


def stream_results(node: NodeState, connection: ClientConnection, work: WorkRequest) -> None:
    """Send a unit's output until the unit is complete, canceled or released, or the client leaves.

    Args:
        node: the node's state.
        connection: the client's; the caller closes it.
        work: the request, with unit and offset.

    Raises:
        Refused: no such unit.
        ClientGone: the client left first.
    """
    unit = node.store.find(work.unit_id or "")
    refuse_signature(work)
    connection.send(f"Streaming results for work unit {unit.unit_id}\n".encode())
    if work.start < 0:
        return
    try:
        with contextlib.closing(_Output(unit)) as output:
            _follow(unit, output, connection, work.start)
    except OSError as error:
        # The header is out: an error line now would be taken for output.
        _log.warning("results of unit %s end early: %s", unit.unit_id, error)


def _follow(unit: Unit, output: _Output, connection: ClientConnection, position: int) -> None:
    wait_s = SHORTEST_WAIT_S
    written_at = -BUSY_S
    while True:
        # Asked before the output is read: what was written before the end is then sure to be seen.
        is_over = unit.has_ended()
        start = position
        for sent in output.send_from(position, connection):
            position += sent
        if is_over:
            return
        if position > start:
            written_at = time.monotonic()
        # A job that has just said something is likely to go on, or to end; many silent ones must cost little.
        is_busy = time.monotonic() - written_at < BUSY_S
        wait_s = SHORTEST_WAIT_S if is_busy else min(wait_s * _WAIT_GROWTH, LONGEST_WAIT_S)
        connection.wait_while_present(wait_s)


class _Output:
    """The stdout of a unit, opened once it exists."""

    def __init__(self, unit: Unit) -> None:
        self._path = unit.stdout
        self._fd: int | None = None

    def send_from(self, position: int, connection: ClientConnection) -> Iterator[int]:
        if self._fd is None:
            with contextlib.suppress(FileNotFoundError):
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        while self._fd is not None and (sent := connection.send_file(self._fd, position)):
            position += sent
            yield sent

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
