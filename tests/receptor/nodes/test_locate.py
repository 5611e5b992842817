"""Which node is asked."""

from __future__ import annotations

import socket
from pathlib import Path

from receptor_runner.receptor.nodes.locate import locate


def listening(path: Path) -> Path:
    """Leave a socket at a path."""
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    made.close()
    return path


def test_the_named_socket_comes_first(short_dir: Path) -> None:
    """--socket beats the environment, which beats the usual places; paths become absolute."""
    usual = (listening(short_dir / "usual.sock"),)
    variables = {"RECEPTORCTL_SOCKET": "/named.sock"}
    named = locate("x.sock", environment=variables, usual=usual)
    assert named
    assert named.socket == str(Path.cwd() / "x.sock")
    from_environment = locate(environment=variables, usual=usual)
    assert from_environment
    assert (from_environment.socket, from_environment.source) == ("/named.sock", "RECEPTORCTL_SOCKET")
    found = locate(environment={}, usual=usual)
    assert found
    assert found.socket == str(usual[0])


def test_tcp_addresses_stay_as_they_are() -> None:
    """An address that is no path is taken literally."""
    found = locate("tcp://localhost:7777", environment={})
    assert found
    assert found.socket == "tcp://localhost:7777"


def test_a_socket_that_exists_is_taken_whether_it_answers_or_not(short_dir: Path) -> None:
    """A dead socket in a usual place is never passed over for the embedded node."""
    assert locate(environment={}, usual=(listening(short_dir / "dead.sock"),)) is not None


def test_only_sockets_count(short_dir: Path) -> None:
    """A plain file in a usual place is no node."""
    plain = short_dir / "plain.sock"
    plain.write_text("")
    assert locate(environment={}, usual=(plain, short_dir / "missing.sock")) is None
