"""Which node is asked."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from receptor_runner.errors import NodeUnavailable
from receptor_runner.receptor.nodes.locate import locate, open_local_node
from tests.harness import UNPRIVILEGED


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


def locate_unprivileged(path: Path) -> str:
    """Return what a process without root's privileges finds if a path is the only usual place."""
    program = (
        "from pathlib import Path; from receptor_runner.receptor.nodes.locate import locate\n"
        f"print(locate(environment={{}}, usual=(Path({str(path)!r}),)))"
    )
    words = [*UNPRIVILEGED, sys.executable, "-c", program]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def test_a_directory_that_may_not_be_searched_is_never_passed_over(short_dir: Path) -> None:
    """Where the socket of a node for others may be, that socket is the answer: no embedded node takes its place."""
    closed = short_dir / "closed"
    closed.mkdir()
    path = listening(closed / "receptor.sock")
    closed.chmod(0)
    assert str(path) in locate_unprivileged(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a link for somebody else")
def test_a_link_of_somebody_else_is_passed_over(short_dir: Path) -> None:
    """A link that anybody may put into a public directory keeps nobody from running jobs, wherever it leads."""
    closed = short_dir / "closed"
    closed.mkdir()
    path = listening(closed / "receptor.sock")
    closed.chmod(0)
    link = short_dir / "link.sock"
    link.symlink_to(path)
    assert str(link) in locate_unprivileged(link)
    os.lchown(link, 12345, 12345)
    assert locate_unprivileged(link) == "None"


@pytest.mark.parametrize("name", [None, "localhost", "LocalHost"])
def test_localhost_is_the_local_node(name: str | None, short_dir: Path) -> None:
    """`localhost` needs no mesh: where there is no node an embedded one serves, as without a name."""
    with open_local_node(nodes=(name,), environment={"XDG_STATE_HOME": str(short_dir)}, usual=()) as local:
        assert local.embedded is not None


def test_another_node_needs_a_mesh() -> None:
    """An embedded node leads to no other node, so that none is started for one."""
    opening = open_local_node(nodes=("localhost", "exec1"), environment={}, usual=())
    with pytest.raises(NodeUnavailable, match="no node leads to the mesh"), opening:
        pass
