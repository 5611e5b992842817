"""A connection, byte by byte."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receptor_runner.node.connection import MAX_LINE_BYTES, ClientConnection, ClientGone, LineTooLong

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, ClientConnection]]:
    """A client and the connection to it."""
    client, server = socket.socketpair()
    connection = ClientConnection(server)
    yield client, connection
    client.close()
    connection.close()


@given(st.lists(st.binary(max_size=20), max_size=20))
def test_any_split_gives_the_same_lines_and_rest(pieces: list[bytes]) -> None:
    """However the bytes are cut, the first line is the first line and the rest is the rest."""
    client, server = socket.socketpair()
    for piece in pieces:
        client.sendall(piece)
    client.close()
    connection = ClientConnection(server)
    line, _, rest = b"".join(pieces).partition(b"\n")
    assert connection.read_line() == line.replace(b"\r", b"")
    assert b"".join(bytes(chunk) for chunk in connection.read_rest()) == rest
    assert connection.at_end
    connection.close()


def test_long_line_is_skipped(pair: tuple[socket.socket, ClientConnection]) -> None:
    """A line beyond the bound is an error, and the next line is whole."""
    client, connection = pair
    data = b"x" * (MAX_LINE_BYTES + 1) + b"\nnext\n" + b"y" * MAX_LINE_BYTES + b"\n"
    writer = threading.Thread(target=client.sendall, args=(data,))
    writer.start()
    with pytest.raises(LineTooLong):
        connection.read_line()
    assert connection.read_line() == b"next"
    assert len(connection.read_line()) == MAX_LINE_BYTES
    writer.join()


def test_half_closed_client_is_present(pair: tuple[socket.socket, ClientConnection]) -> None:
    """A client that ended only its side still reads; one that closed is gone."""
    client, connection = pair
    client.shutdown(socket.SHUT_WR)
    assert connection.read_line() == b""
    assert connection.check_present(b"reply") == b"reply"
    client.close()
    with pytest.raises(ClientGone):
        connection.check_present(b"reply")
    with pytest.raises(ClientGone):
        connection.send(b"reply")


def test_tcp_client_is_probed_by_the_first_byte() -> None:
    """On TCP the reply's first byte finds out whether the client still reads."""
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as client:
        client.connect(listening.getsockname())
        connection = ClientConnection(listening.accept()[0])
        client.shutdown(socket.SHUT_WR)
        assert connection.check_present(b"reply") == b"eply"
        assert client.recv(10) == b"r"
        client.close()
        with pytest.raises(ClientGone):
            connection.check_present(b"reply")
        connection.close()


def test_file_is_sent_from_an_offset(pair: tuple[socket.socket, ClientConnection], tmp_path: Path) -> None:
    """A file goes out from the offset on, and at its end nothing does."""
    client, connection = pair
    (tmp_path / "f").write_bytes(b"0123456789")
    with (tmp_path / "f").open("rb") as file:
        assert connection.send_file(file.fileno(), 4) == 6
        assert client.recv(100) == b"456789"
        assert connection.send_file(file.fileno(), 10) == 0
        client.close()
        with pytest.raises(ClientGone):
            connection.send_file(file.fileno(), 0)


def test_waiting_ends_when_the_client_leaves(pair: tuple[socket.socket, ClientConnection]) -> None:
    """Waiting takes its time while the client is there and no longer than the client is."""
    client, connection = pair
    connection.wait_while_present(0.01)
    leaver = threading.Timer(0.1, client.close)
    leaver.start()
    with pytest.raises(ClientGone):
        connection.wait_while_present(60)
    leaver.join()
