"""One control session: greeting, then requests and replies until the client leaves or a stream consumes it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from receptor_runner.node.connection import MAX_LINE_BYTES, ClientGone, LineTooLong
from receptor_runner.node.queries import ping, read_connect_target, show_status, trace_route
from receptor_runner.node.refusal import Refused
from receptor_runner.node.reload import reload
from receptor_runner.node.replies import encode_error, encode_reply
from receptor_runner.node.requests import parse_request, parse_work
from receptor_runner.node.results import stream_results
from receptor_runner.node.upload import submit
from receptor_runner.node.work import answer_work

if TYPE_CHECKING:
    from receptor_runner.node.connection import ClientConnection
    from receptor_runner.node.requests import Request
    from receptor_runner.node.state import NodeState

_log = logging.getLogger("receptor_runner.node")
_BRIDGE_PAUSE_S = 0.02
_QUERIES = {"status": show_status, "ping": ping, "traceroute": trace_route, "reload": reload}


class SessionOver(Exception):
    """The request has consumed the connection."""


def run_session(node: NodeState, connection: ClientConnection) -> None:
    """Serve one client until the connection ends.

    Args:
        node: the node's state.
        connection: a fresh connection; closed by the caller.
    """
    try:
        _greet(node, connection)
        while not connection.at_end:
            _serve_request(node, connection)
    except (ClientGone, SessionOver):
        _log.debug("control session ended")


def _greet(node: NodeState, connection: ClientConnection) -> None:
    connection.send(f"Receptor Control, node {node.settings.node_id}\n".encode())


def _serve_request(node: NodeState, connection: ClientConnection) -> None:
    try:
        line = connection.read_line()
        if line:
            _answer(node, connection, parse_request(line))
    except Refused as refusal:
        _send_error(connection, str(refusal))
    except LineTooLong:
        _send_error(connection, f"command line is longer than {MAX_LINE_BYTES} bytes")
    except OSError as error:
        _send_error(connection, describe_os_error(error))


def _send_error(connection: ClientConnection, text: str) -> None:
    _log.info("refused: %s", text)
    connection.send(encode_error(text))


def describe_os_error(error: OSError) -> str:
    """Describe a failure of the system without a stack of words."""
    reason = (error.strerror or str(error)).lower()
    return f"{error.filename}: {reason}" if error.filename else reason


def _answer(node: NodeState, connection: ClientConnection, request: Request) -> None:
    if request.command == "work":
        _answer_work(node, connection, request)
    elif request.command == "connect":
        _bridge(node, connection, request)
    elif request.command in _QUERIES:
        connection.send(encode_reply(_QUERIES[request.command](node, request)))
    else:
        raise Refused("Unknown command")


def _answer_work(node: NodeState, connection: ClientConnection, request: Request) -> None:
    work = parse_work(request)
    if work.subcommand == "submit":
        submit(node, connection, work)
        raise SessionOver
    if work.subcommand == "results":
        stream_results(node, connection, work)
        raise SessionOver
    connection.send(encode_reply(answer_work(node, work)))


def _bridge(node: NodeState, connection: ClientConnection, request: Request) -> None:
    # There is only one node to connect to, so the far end of the bridge is a session on the same connection.
    read_connect_target(node, request)
    connection.send(b"Connecting\n")
    # receptorctl's connect shows only what its line reader has not yet taken in with the line before.
    connection.wait_while_present(_BRIDGE_PAUSE_S)
    run_session(node, connection)
    raise SessionOver
