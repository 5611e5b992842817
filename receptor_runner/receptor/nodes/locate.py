"""Which node is the local node: the one that was named, else one in the usual places, else an embedded one."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from receptor_runner.errors import NodeUnavailable
from receptor_runner.receptor.nodes.embedded import EmbeddedNode

SOCKET_VARIABLE = "RECEPTORCTL_SOCKET"

USUAL_SOCKETS = (
    Path("/run/receptor/receptor.sock"),
    Path("/var/run/receptor/receptor.sock"),
    Path("/tmp/receptor.sock"),  # noqa: S108 - the daemon's documentation puts it there
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalNode:
    """The node that we are connected to.

    Attributes:
        socket: the address of its control service.
        source: how it was found, in words.
        embedded: the embedded node behind it, to be started again if need be; None for any other node.
    """

    socket: str
    source: str
    embedded: EmbeddedNode | None = None


@contextlib.contextmanager
def open_local_node(
    socket: str | None = None,
    *,
    source: str = "--socket",
    nodes: Iterable[str | None] = (),
    tls_client: str | None = None,
    environment: Mapping[str, str] | None = None,
    usual: tuple[Path, ...] = USUAL_SOCKETS,
) -> Iterator[LocalNode]:
    """Provide the local node. Where none was named and none exists, an embedded node of its own is being started.

    The embedded node outlives the context only if it was given a unit by then.

    Args:
        socket: the address that was given.
        source: where it was given, in words.
        nodes: the target nodes; None and `localhost` are the local node.
        tls_client: the local node's TLS client for them, which an embedded node does not have.
        environment: where variables are looked up; by default in this process's environment.
        usual: the usual places.

    Raises:
        NodeUnavailable: another node is wanted, but no node was found that could lead there.
        OutputFailed: the directory of an embedded node cannot be written.
    """
    found = locate(socket, source=source, environment=environment, usual=usual)
    if found is None and (tls_client or any(map(other_node, nodes))):
        raise NodeUnavailable(
            "no node leads to the mesh",
            cause="no socket was named, and none exists in the usual places",
            hint="name the socket of a Receptor node with --socket or RECEPTORCTL_SOCKET",
        )
    if found:
        yield found
        return
    with contextlib.closing(EmbeddedNode.create(environment)) as node:
        yield LocalNode(socket=node.socket, source="started for this job", embedded=node)


def locate(
    socket: str | None = None,
    *,
    source: str = "--socket",
    environment: Mapping[str, str] | None = None,
    usual: tuple[Path, ...] = USUAL_SOCKETS,
) -> LocalNode | None:
    """Return the node that was named or stands in a usual place, or None.

    A socket that exists is never passed over, whether it answers or not; nor is a directory that this user may not
    search, since the socket of a node for others may be there.

    Args:
        socket: the address that was given.
        source: where it was given, in words.
        environment: where RECEPTORCTL_SOCKET is looked up; by default in this process's environment.
        usual: the usual places.
    """
    variables = os.environ if environment is None else environment
    if socket:
        return LocalNode(socket=_absolute(socket), source=source)
    if named := variables.get(SOCKET_VARIABLE):
        return LocalNode(socket=_absolute(named), source=SOCKET_VARIABLE)
    for path in usual:
        if _may_be_node(path):
            return LocalNode(socket=str(path), source="found there")
    return None


def other_node(name: str | None) -> str | None:
    """Return the name of a node, None for the local node, which is called `localhost` everywhere in Receptor."""
    return None if name is None or name.lower() == "localhost" else name


def _absolute(address: str) -> str:
    """Return an address that means the same from every directory."""
    if address.startswith(("tcp:", "tls:")):
        return address
    path = address.removeprefix("unix:").removeprefix("//")
    return os.path.abspath(Path(path).expanduser())


def _may_be_node(path: Path) -> bool:
    """Return whether there is a socket of root's or ours, or may be one: others may put anything into a public place.

    Source: the kernel refuses to follow somebody's link in a directory like /tmp with the error of a closed directory.
    """
    try:
        status = path.stat()
    except PermissionError:
        return not _is_link_of_others(path)
    except OSError:
        return False
    return stat.S_ISSOCK(status.st_mode) and _is_trusted(status)


def _is_link_of_others(path: Path) -> bool:
    try:
        return not _is_trusted(path.lstat())
    except OSError:
        return False


def _is_trusted(status: os.stat_result) -> bool:
    return status.st_uid in {0, os.geteuid()}
