"""`work submit`: name the unit, take the payload, start the command, exactly in that order."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING

from receptor_runner.node.command_line import join_params
from receptor_runner.node.connection import ClientGone
from receptor_runner.node.refusal import Refused
from receptor_runner.node.replies import encode_error, encode_reply
from receptor_runner.node.unit_status import Detail, StoredUnitState, measure_stdout
from receptor_runner.node.work import refuse_signature

if TYPE_CHECKING:
    from receptor_runner.node.connection import ClientConnection
    from receptor_runner.node.requests import WorkRequest
    from receptor_runner.node.settings import WorkCommand
    from receptor_runner.node.state import NodeState
    from receptor_runner.node.units import Unit

_READING_FAILED = "Error reading input data"
_STARTING_FAILED = "Error starting worker"
_log = logging.getLogger("receptor_runner.node")


def submit(node: NodeState, connection: ClientConnection, work: WorkRequest) -> None:
    """Take one unit of work from a client.

    The command starts only if the client ended its side and still waits for the reply: a client that is gone may
    have sent half a payload.

    Args:
        node: the node's state.
        connection: the client's; consumed.
        work: the request.

    Raises:
        Refused: the request cannot be done; no unit was made, and the connection goes on.
        ClientGone: the client left; its unit is Failed, with that as its detail.
    """
    fields = work.fields or {}
    refuse_signature(work)
    command = _find_command(node, fields)
    unit = node.store.create(command.work_type, _combine_params(command, fields.get("params", "")))
    _log.info("unit %s of work type %s created", unit.unit_id, command.work_type)
    try:
        _receive_payload(unit, connection)
    except OSError as error:
        _fail(unit, _READING_FAILED, _describe(error, unit))
        _answer_failure(connection, _describe(error, unit))
        return
    except ClientGone:
        _fail(unit, _READING_FAILED, "the client left before the end of the payload")
        raise
    _start(node, unit, command, connection)


def _find_command(node: NodeState, fields: dict[str, str]) -> WorkCommand:
    target = fields["node"]
    if target != node.settings.node_id and target.lower() != "localhost":
        _refuse_remote(fields, target)
    if fields.get("ttl"):
        raise Refused("ttl option is intended for remote work only")
    command = node.find_command(fields["worktype"])
    if command is None:
        raise Refused(f"unknown work type {fields['worktype']}")
    return command


def _refuse_remote(fields: dict[str, str], target: str) -> None:
    if tls := fields.get("tlsclient"):
        raise Refused(f"unknown TLS config {tls}")
    if any(name.lower().startswith("secret_") for name in fields):
        raise Refused("cannot send secrets over a non-TLS connection")
    raise Refused(f"no route to node {target}: this node is local-only")


def _combine_params(command: WorkCommand, runtime: str) -> str:
    if runtime and not command.allow_runtime_params:
        raise Refused("extra params provided but not allowed")
    return join_params(command.params, runtime)


def _receive_payload(unit: Unit, connection: ClientConnection) -> None:
    with contextlib.closing(_Payload(unit)) as payload:
        unit.status_file.update(detail=Detail.WAITING, only_if=lambda status: status.launchable)
        connection.send(f"Work unit created with ID {unit.unit_id}. Send stdin data and EOF.\n".encode())
        for chunk in connection.read_rest():
            payload.write(chunk)


class _Payload:
    """The stdin file of a unit while it is written."""

    def __init__(self, unit: Unit) -> None:
        self._fd = os.open(unit.stdin, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)

    def write(self, chunk: memoryview | bytes) -> None:
        view = memoryview(chunk)
        while view:
            view = view[os.write(self._fd, view) :]

    def close(self) -> None:
        os.close(self._fd)


def _start(node: NodeState, unit: Unit, command: WorkCommand, connection: ClientConnection) -> None:
    reply = encode_reply({"result": "Job Started", "unitid": unit.unit_id})
    try:
        if not _advance(unit, Detail.STARTING):
            connection.send(encode_error(f"work unit {unit.unit_id} was cancelled before it started"))
            return
        reply = connection.check_present(reply)
    except ClientGone:
        _fail(unit, _READING_FAILED, "the client left without waiting for the reply, the payload may be torn")
        raise
    try:
        if _advance(unit, Detail.LAUNCHING):
            node.runners.launch(unit, command.command)
    except OSError as error:
        _fail(unit, _STARTING_FAILED, _describe(error, unit))
        reply = encode_error(_describe(error, unit)) if reply.startswith(b"{") else reply
    connection.send(reply)


def _advance(unit: Unit, detail: str) -> bool:
    """Record the next step of a unit and return True, unless it was canceled or released meanwhile."""
    try:
        return unit.status_file.update(detail=detail, only_if=lambda status: status.launchable) is not None
    except FileNotFoundError:
        return False


def _fail(unit: Unit, what: str, cause: str) -> None:
    with contextlib.suppress(OSError):
        unit.status_file.update(
            state=StoredUnitState.FAILED,
            detail=f"{what}: {cause}",
            stdout_size=measure_stdout(str(unit.unit_dir)),
            only_if=lambda status: not status.state.complete,
        )


def _describe(error: OSError, unit: Unit) -> str:
    return f"write {unit.stdin}: {(error.strerror or str(error)).lower()}"


def _answer_failure(connection: ClientConnection, text: str) -> None:
    # What the client still sends is payload, not commands; it reads the answer when it has sent all.
    connection.send(encode_error(text))
    for _chunk in connection.read_rest():
        continue
