"""The control service of a node: its commands, with the unit's id before the payload flows, results from an offset
that can be polled, and errors of ours.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

from receptor_runner.errors import NodeUnavailable, RunnerError, UnknownUnit
from receptor_runner.receptor.control.connection import Connection, Tls, path_of
from receptor_runner.receptor.control.errors import translate
from receptor_runner.receptor.control.results import Results
from receptor_runner.receptor.control.unit import UnitStatus, WorkOrder
from receptor_runner.system.processes import is_alive, shares_pid_namespace, standard_stream

log = logging.getLogger("receptor_runner.control")

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


class Control:
    """The control service at one address; every command has a connection of its own.

    Args:
        address: a socket's path, `unix:path`, `tcp://host:port` or `tls://host:port`.
        deadlines: how long each step may take.
        tls: certificates for a `tls://` address.
        revive: starts the node again if nobody serves the socket any more.
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
        """Raise Unreachable if the address is a path where there is nothing, and the node cannot be revived."""
        path = path_of(self.address)
        if self._revive is None and path and not path.exists():
            raise translate(FileNotFoundError(), self.address)

    def status(self, *fields: str) -> dict[str, Any]:
        """Return what the node knows of itself and the mesh.

        Args:
            fields: the wanted keys of the reply; all by default.
        """
        command: dict[str, Any] = {"command": "status"}
        if fields:
            command["requested_fields"] = list(fields)
        return self._command(json.dumps(command), self._deadlines.reply_s)

    def unit_status(self, unit_id: str) -> UnitStatus:
        """Return what the node says of a unit.

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
            force: remove it here even if the other node cannot be asked.

        Source: where only the other node has forgotten the unit, the answer is the same as for one that is unknown
        here, and the unit stays.
        """
        verb = "force-release" if force else "release"
        try:
            return "released" in self._command(f"work {verb} {unit_id}", self._deadlines.cancel_s)
        except UnknownUnit:
            if force:
                raise
            return self.release(unit_id, force=True)

    def is_routed(self, node: str) -> bool:
        """Whether the asked node knows a way to another one."""
        status = self.status("NodeID", "RoutingTable")
        return node == status.get("NodeID") or node in (status.get("RoutingTable") or {})

    def process_id(self) -> int | None:
        """Return the process that serves a unix socket; None for another kind of socket."""
        with self._connected() as connection:
            return connection.peer_pid()

    def process_lives(self, pid: int) -> bool | None:
        """Whether a process on the node's machine lives; None where that cannot be seen from here.

        Source: the node's process ids are ours only if it answers on a unix socket and shares our pid namespace.
        """
        return is_alive(pid) if self._shares_processes() else None

    def interrupt_worker(self, unit_id: str, pid: int) -> None:
        """Interrupt a unit's worker without its node, if it is seen from here that the process is that worker.

        Source: a unit whose command runner was killed runs on, and the daemon's cancel and release do not reach it.
        """
        with contextlib.suppress(OSError):
            if self._shares_processes() and standard_stream(pid, 0).endswith(f"/{unit_id}/stdin"):
                os.kill(pid, signal.SIGINT)

    def _shares_processes(self) -> bool:
        """Whether the node's process ids mean the same here."""
        try:
            node = self.process_id()
            return node is not None and shares_pid_namespace(node)
        except (OSError, NodeUnavailable):
            return False

    def submit(self, order: WorkOrder) -> Submission:
        """Create a unit; its id is known before any payload is sent.

        Returns:
            The submission, to be used as a context: left without a start, it removes the unit again.
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
        return Submission(self, connection, created[1])

    def payload_deadline_s(self, size: int) -> float:
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
            stream, file = connection.get_work_results(unit_id, offset, return_socket=True)
            return Results(stream, file)

    def _command(self, command: str, deadline_s: float) -> dict[str, Any]:
        with self._connected() as connection:
            connection.reply_within(deadline_s)
            reply = connection.simple_command(command)
        if not isinstance(reply, dict):
            raise NodeUnavailable(f"the node at {self.address} gave a strange answer", cause=str(reply)[:200])
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
            raise translate(error, self.address) from error


class Submission:
    """A unit that waits for its payload.

    Attributes:
        unit_id: its id, final already.
        started: whether all of the payload is sent, so that the unit may run.
        removed: whether it was removed again because that did not come to pass.
    """

    def __init__(self, control: Control, connection: Connection, unit_id: str) -> None:
        self.unit_id = unit_id
        self._control = control
        self._connection = connection
        self.started = False
        self.removed = False

    def start(self, payload: Iterable[bytes]) -> str:
        """Send the payload and let the unit start; return the node's word for it.

        Source: the daemon starts whatever has arrived when the sending half is closed.
        """
        with self._control._translated():
            sent = 0
            for chunk in payload:
                self._connection.send(chunk)
                sent += len(chunk)
            self.started = True
            self._connection.reply_within(self._control.payload_deadline_s(sent))
            self._connection.end_sending()
            reply = self._connection.readstr()
            if not reply:
                raise ConnectionResetError("the node closed the connection")
            if reply.startswith("ERROR:"):
                raise RuntimeError(reply.removeprefix("ERROR: "))
            return str(json.loads(reply)["result"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        """Close; a unit that was not started is released first, over another connection.

        The order matters: the daemon starts the unit as soon as this connection closes.
        """
        try:
            if not self.started:
                self.removed = self._remove()
        finally:
            self._connection.__exit__()

    def _remove(self) -> bool:
        """Release the unit; return whether it is gone. A node that is away leaves the reason for that in place."""
        try:
            return self._control.release(self.unit_id)
        except UnknownUnit:
            return True
        except NodeUnavailable as error:
            log.warning("unit %s could not be released: %s", self.unit_id, error)
            return False
