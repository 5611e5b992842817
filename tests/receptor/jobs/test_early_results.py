"""The first results of a unit come over several connections, and once each."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from receptor_runner.errors import NodeUnavailable, Unreachable
from receptor_runner.receptor.control.results import Results
from receptor_runner.receptor.jobs import early_results
from receptor_runner.receptor.jobs.early_results import EarlyResults

TEXT = b"0123456789"


@pytest.fixture(autouse=True)
def _no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays early for as long as a test takes, on a busy machine too."""
    monkeypatch.setattr(early_results, "_EARLY_S", 600)


class Node:
    """The other ends of connections, in the order in which they were opened."""

    def __init__(self) -> None:
        self.ends: list[socket.socket] = []
        self.offsets: list[int] = []
        self.most = 100

    def open(self, offset: int) -> Results:
        """Open a connection, unless there are too many."""
        if len(self.ends) == self.most:
            raise NodeUnavailable("the node does not answer")
        ours, theirs = socket.socketpair()
        self.ends.append(theirs)
        self.offsets.append(offset)
        return Results(ours, ours.makefile("rwb"))

    def close(self) -> None:
        """Close what is open."""
        for end in self.ends:
            end.close()


@pytest.fixture
def node() -> Iterator[Node]:
    """A node to which connections are opened."""
    made = Node()
    yield made
    made.close()


def opened(node: Node, count: int = 3, offset: int = 0) -> EarlyResults:
    """Return early results, once so many connections are open."""
    results = EarlyResults(node.open, offset, 5)
    while len(node.ends) < count:
        assert results.read(0.01) is None
    return results


def is_open(end: socket.socket) -> bool:
    """Whether the other side has not closed a connection."""
    end.setblocking(False)
    try:
        return end.recv(1) != b""
    except BlockingIOError:
        return True


def test_one_connection_is_opened_at_once_and_others_later(node: Node) -> None:
    """Each from the same offset; when it is closed, all are."""
    results = EarlyResults(node.open, 7, 5)
    assert node.offsets == [7]
    with results:
        while len(node.ends) < 5:
            assert results.read(0.02) is None
        assert results.read(0.2) is None
    assert node.offsets == [7] * 5
    assert not any(is_open(end) for end in node.ends)


def test_each_byte_comes_once(node: Node) -> None:
    """Whichever connection brings it first, in whatever pieces."""
    with opened(node) as results:
        node.ends[1].sendall(TEXT[:4])
        assert results.read(1) == TEXT[:4]
        node.ends[0].sendall(TEXT[:2])
        assert results.read(0.01) is None
        node.ends[2].sendall(TEXT[:7])
        assert results.read(1) == TEXT[4:7]
        node.ends[0].sendall(TEXT[2:])
        assert results.read(1) == TEXT[7:]
        node.ends[1].sendall(TEXT[4:])
        assert results.read(0.01) is None


def test_the_end_comes_with_the_last_byte(node: Node) -> None:
    """A connection that ends before all of it has come over it, ends for itself only."""
    with opened(node) as results:
        node.ends[0].sendall(TEXT)
        assert results.read(1) == TEXT
        node.ends[1].sendall(TEXT[:3])
        node.ends[1].close()
        assert results.read(0.05) is None
        node.ends[0].close()
        assert results.read(1) == b""


def test_a_broken_connection_is_not_missed(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as there is another one; the last one that breaks is an error."""
    broken: set[int] = set()
    read = Results.read

    def breaking(self: Results, wait_s: float, size: int = 1000) -> bytes | None:
        if self.fileno() in broken:
            raise Unreachable("lost the connection to the node")
        return read(self, wait_s, size)

    monkeypatch.setattr(Results, "read", breaking)
    with opened(node) as results:
        broken.update(look.results.fileno() for look in results._looks[:2])
        node.ends[2].sendall(TEXT)
        assert results.read(1) == TEXT
        broken.update(look.results.fileno() for look in results._looks)
        node.most = 0
        with pytest.raises(Unreachable, match="lost the connection"):
            results.read(1)


def test_a_connection_that_cannot_be_opened_is_not_missed(node: Node) -> None:
    """The others go on, and it is not tried again."""
    node.most = 2
    with opened(node, 2) as results:
        assert results.read(0.1) is None
        node.most = 100
        assert results.read(0.2) is None
        node.ends[1].sendall(TEXT)
        assert results.read(1) == TEXT
    assert len(node.ends) == 2


def test_the_first_connection_has_to_open(node: Node) -> None:
    """Otherwise there is nothing to read."""
    node.most = 0
    with pytest.raises(NodeUnavailable):
        EarlyResults(node.open, 0, 5)


def test_the_one_that_is_ahead_goes_on_alone(node: Node) -> None:
    """After a while the others are closed, and no more are opened; nothing is lost or repeated."""
    with opened(node) as results:
        node.ends[1].sendall(TEXT[:5])
        assert results.read(1) == TEXT[:5]
        results._alone_at = 0
        assert results.read(0.2) is None
        count = len(node.ends)
        assert [is_open(end) for end in node.ends] == [number == 1 for number in range(count)]
        node.ends[1].setblocking(True)
        node.ends[1].sendall(TEXT[5:])
        assert results.read(1) == TEXT[5:]
        node.ends[1].close()
        assert results.read(1) == b""


def test_much_comes_over_one_connection(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once there is more than a first sign, the others are closed."""
    monkeypatch.setattr(early_results, "_EARLY_SIZE", len(TEXT))
    with opened(node) as results:
        node.ends[2].sendall(TEXT)
        assert results.read(1) == TEXT
        assert results.read(0.01) is None
        assert [is_open(end) for end in node.ends] == [number == 2 for number in range(len(node.ends))]


def test_a_reset_is_an_end(node: Node) -> None:
    """As it is for one connection: the daemon closes them so."""
    node.most = 1
    with opened(node, 1) as results:
        node.ends[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        node.ends[0].close()
        assert results.read(1) == b""
