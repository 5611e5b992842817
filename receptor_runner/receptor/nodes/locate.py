"""Which node to ask: the one that was named, else one in the usual places, else the embedded one."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SOCKET_VARIABLE = "RECEPTORCTL_SOCKET"

USUAL_SOCKETS = (
    Path("/run/receptor/receptor.sock"),
    Path("/var/run/receptor/receptor.sock"),
    Path("/tmp/receptor.sock"),  # noqa: S108 - the daemon's documentation puts it there
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAddress:
    """Where a node is asked.

    Attributes:
        socket: its address.
        source: why this one, in words.
        embedded: whether it is our own embedded node, to be started if need be.
    """

    socket: str
    source: str
    embedded: bool = False


def locate(
    socket: str | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    usual: tuple[Path, ...] = USUAL_SOCKETS,
) -> NodeAddress | None:
    """Return the node that was named or stands in a usual place; None means the embedded node.

    A socket that exists is never passed over, whether it answers or not.

    Args:
        socket: the address that was given.
        environment: where RECEPTORCTL_SOCKET is looked up; by default this process's.
        usual: the usual places.
    """
    variables = os.environ if environment is None else environment
    if socket:
        return NodeAddress(socket=_absolute(socket), source="--socket")
    if named := variables.get(SOCKET_VARIABLE):
        return NodeAddress(socket=_absolute(named), source=SOCKET_VARIABLE)
    for path in usual:
        if _is_trusted_socket(path):
            return NodeAddress(socket=str(path), source="found there")
    return None


def _absolute(address: str) -> str:
    """Return an address that means the same from every directory."""
    if address.startswith(("tcp:", "tls:")):
        return address
    path = address.removeprefix("unix:").removeprefix("//")
    return os.path.abspath(Path(path).expanduser())


def _is_trusted_socket(path: Path) -> bool:
    """Whether there is a socket, of root's or ours: others may put anything into a public directory."""
    try:
        status = path.stat()
    except OSError:
        return False
    return stat.S_ISSOCK(status.st_mode) and status.st_uid in {0, os.geteuid()}
