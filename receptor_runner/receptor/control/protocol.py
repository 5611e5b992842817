"""The commands of a node's control service: one method each, with deadlines and with errors of ours."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from receptor_runner.errors import NodeUnavailable, RunnerError, UnknownUnit, Unreachable
from receptor_runner.receptor.control.connection import Connection, Tls, path_of
from receptor_runner.receptor.control.errors import translate
from receptor_runner.receptor.control.results import Results
from receptor_runner.receptor.control.submission import Submission
from receptor_runner.receptor.control.unit import UnitStatus, WorkOrder

log = logging.getLogger("receptor_runner.control")

_EXCERPT_SIZE = 300
_CREATED = re.compile(r"Work unit created with ID (.+)\. Send stdin data and EOF\.")
_SLOW_LINK_BYTES_PER_S = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long each step may take, in seconds.

    Attributes:
        connect_s: connecting and the greeting.
        reply_s: the reply to a command.
        cancel_s: the reply to cancel and release; the daemon answers when the worker is gone, up to 10 s later.
        payload_s: one write of the payload, and the reply behind it, beyond the time that a slow link takes: the
            daemon first passes the payload on to a remote node, which takes 15 s if that node does not answer.
    """

    connect_s: float = 5.0
    reply_s: float = 15.0
    cancel_s: float = 30.0
    payload_s: float = 60.0


def _excerpt(reply: object) -> str:
    text = json.dumps(reply, default=str)
    return text if len(text) <= _EXCERPT_SIZE else f"{text[:_EXCERPT_SIZE]}... ({len(text)} characters)"


class Control:
    """The control service at one address; every command has a connection of its own.

    Args:
        address: a socket's path, `unix:path`, `tcp://host:port` or `tls://host:port`.
        deadlines: how long each step may take.
        tls: certificates for a `tls://` address.
        revive: starts the node again if nothing listens on the socket any more.
    """

    def __init__(
        self,
        address: str,
        *,
        deadlines: Deadlines | None = None,
        tls: Tls | None = None,
        revive: Callable[[], object] | None = None,
    ) -> None:
        self.address = address
        self._revive = revive
        self._deadlines = deadlines or Deadlines()
        self._tls = tls

    def check_socket(self) -> None:
        """Return if there is something at the path of the address, or if the node can be revived.

        Raises:
            Unreachable: there is nothing.
            NodeUnavailable: this user may not see it.
        """
        path = path_of(self.address)
        if self._revive is None and path:
            with self._translated():
                path.stat()

    def status(self, *fields: str) -> dict[str, Any]:
        """Return the node's status: itself, and what it knows of the mesh.

        Args:
            fields: the keys of the reply to ask for; all by default.
        """
        command: dict[str, Any] = {"command": "status"}
        if fields:
            command["requested_fields"] = list(fields)
        return self._command(json.dumps(command), self._deadlines.reply_s)

    def unit_status(self, unit_id: str) -> UnitStatus:
        """Return the status of a unit.

        Raises:
            UnknownUnit: it has none of that id.
        """
        return UnitStatus.from_reply(self._command(f"work status {unit_id}", self._deadlines.reply_s))

    def units(self) -> dict[str, UnitStatus]:
        """Return all units of the node, by id."""
        reply = self._command("work list", self._deadlines.reply_s)
        return {unit_id: UnitStatus.from_reply(status) for unit_id, status in reply.items()}

    def cancel(self, unit_id: str) -> bool:
        """Stop a unit; return False if the request is pending because its node is out of reach."""
        reply = self._command(f"work cancel {unit_id}", self._deadlines.cancel_s)
        return "cancelled" in reply

    def release(self, unit_id: str, *, force: bool = False) -> bool:
        """Stop and remove a unit; return False if the request is pending because its node is out of reach.

        Args:
            unit_id: the unit.
            force: remove it here even if the target node is out of reach.

        Source: if only the other node has forgotten the unit, the answer is the same as for a unit that is unknown
        here, and the unit stays here; only a forced release removes it.
        """
        verb = "force-release" if force else "release"
        try:
            return "released" in self._command(f"work {verb} {unit_id}", self._deadlines.cancel_s)
        except UnknownUnit:
            if force:
                raise
            return self.release(unit_id, force=True)

    def is_routed(self, node: str) -> bool:
        """Return whether the local node has a route to another one."""
        status = self.status("NodeID", "RoutingTable")
        return node == status.get("NodeID") or node in (status.get("RoutingTable") or {})

    def ping(self, node: str) -> float:
        """Return how many seconds a message to a node and back takes, as the local node measures it.

        Raises:
            Unreachable: no answer came back.

        Source: a failed ping is an ordinary reply with `Success: false`, never an `ERROR:` line.
        """
        command = json.dumps({"command": "ping", "target": node})
        reply = self._command(command, self._deadlines.reply_s)
        if not reply.get("Success"):
            raise Unreachable(f"node `{node}` does not answer", cause=str(reply.get("Error") or "") or None)
        return float(reply.get("Time", 0)) / 1e9

    def status_of(self, node: str, *fields: str, tls_client: str | None = None) -> dict[str, Any]:
        """Return the status of another node, asked over the mesh through the service that takes submitted work.

        Args:
            node: the other node.
            fields: the keys of the reply to ask for.
            tls_client: the local node's TLS client for it.

        Raises:
            NodeUnavailable: its control service cannot be reached, or does not let us in.
        """
        with self._connected() as connection:
            connection.reply_within(self._deadlines.reply_s)
            connection.pass_on_to(node, tls_client)
            command = json.dumps({"command": "status", "requested_fields": list(fields)})
            reply = connection.simple_command(command)
        return dict(reply)

    def process_id(self) -> int | None:
        """Return the process that serves a unix socket; None for another kind of socket."""
        with self._connected() as connection:
            return connection.peer_pid()

    def submit(self, order: WorkOrder) -> Submission:
        """Create a unit; its id is known before any payload is sent.

        Returns:
            The submission, to be closed by the caller, who releases the unit first if it is not to run.
        """
        connection = Connection(self.address, self._deadlines.connect_s, self._tls)
        try:
            with self._translated():
                self._connect(connection)
                connection.reply_within(self._deadlines.reply_s)
                connection.writestr(order.command() + "\n")
                reply = connection.readstr()
                created = _CREATED.fullmatch(reply)
                if not created:
                    raise RuntimeError(reply.removeprefix("ERROR: ") or "the node closed the connection")
                connection.reply_within(self._deadlines.payload_s)
        except BaseException:
            connection.__exit__()
            raise
        return Submission(
            connection,
            created[1],
            payload_deadline_s=self._payload_deadline_s,
            translating=self._translated,
        )

    def _payload_deadline_s(self, size: int) -> float:
        """Return how long the reply behind a payload of so many bytes may take."""
        return self._deadlines.payload_s + size / _SLOW_LINK_BYTES_PER_S

    def results(self, unit_id: str, offset: int = 0) -> Results:
        """Open the results of a unit.

        Args:
            unit_id: the unit.
            offset: how many bytes to leave out.
        """
        with self._connected() as connection:
            connection.reply_within(self._deadlines.reply_s)
            log.debug("%s: work results %s from byte %d", self.address, unit_id, offset)
            stream, file = connection.get_work_results(unit_id, offset, return_socket=True)
            return Results(stream, file)

    def _command(self, command: str, deadline_s: float) -> dict[str, Any]:
        with self._connected() as connection:
            connection.reply_within(deadline_s)
            log.debug("%s: %s", self.address, command)
            reply = connection.simple_command(command)
            log.debug("%s: reply %s", self.address, _excerpt(reply))
        if not isinstance(reply, dict):
            raise NodeUnavailable(
                f"the node at {self.address} sent an unexpected reply", cause=str(reply)[:200]
            )
        return reply

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Connection]:
        with (
            self._translated(),
            Connection(self.address, self._deadlines.connect_s, self._tls) as connection,
        ):
            self._connect(connection)
            yield connection

    def _connect(self, connection: Connection) -> None:
        try:
            connection.connect()
        except (FileNotFoundError, ConnectionError):
            if self._revive is None:
                raise
            # An embedded node may end between two connections; one that is ending accepts and then closes.
            self._revive()
            connection.close()
            connection.connect()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError, ValueError) as error:
            if isinstance(error, RunnerError):
                raise
            raise translate(error, self.address, is_embedded=self._revive is not None) from error
