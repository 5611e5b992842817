"""A unit that exists on its node and waits for its payload."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable
from typing import Self

from receptor_runner.receptor.control.connection import Connection

Translating = Callable[[], contextlib.AbstractContextManager[None]]


class Submission:
    """A unit that waits for its payload, and the connection over which the payload flows.

    Args:
        connection: the connection on which the node named the unit.
        unit_id: the unit.
        payload_deadline_s: how long the reply behind a payload of so many bytes may take.
        translating: a context that turns errors of the connection into ours.

    Attributes:
        unit_id: the unit's id, which never changes again.
        started: whether the end of the payload may be sent, so that the unit may run.
    """

    def __init__(
        self,
        connection: Connection,
        unit_id: str,
        *,
        payload_deadline_s: Callable[[int], float],
        translating: Translating,
    ) -> None:
        self.unit_id = unit_id
        self.started = False
        self._connection = connection
        self._payload_deadline_s = payload_deadline_s
        self._translating = translating

    def start(self, payload: Iterable[bytes]) -> str:
        """Send the payload and let the unit start; return the node's reply: `Job Started` or `Job Submitted`.

        Source: the payload has no length. The daemon starts whatever has arrived when the sending half is closed.
        """
        with self._translating():
            sent, held_back = 0, b""
            for chunk in payload:
                self._connection.send(held_back)
                sent += len(chunk)
                held_back = chunk
            # The last piece holds the end of the payload, and whatever makes the payload has returned now. Once that
            # piece is sent the unit may run, whatever fails then, even if only the connection is closed.
            self.started = True
            self._connection.send(held_back)
            self._connection.reply_within(self._payload_deadline_s(sent))
            self._connection.end_sending()
            reply = self._connection.readstr()
            if not reply:
                raise ConnectionResetError("the node closed the connection")
            if reply.startswith("ERROR:"):
                raise RuntimeError(reply.removeprefix("ERROR: "))
            return str(json.loads(reply)["result"])

    def close(self) -> None:
        """Close the connection. A daemon starts a unit that was not started yet: release that one first."""
        self._connection.__exit__()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
