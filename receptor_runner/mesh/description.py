"""What a mesh.yml says: the nodes of a mesh, their roles and links, and what is the same for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PORT = 27199
"""Receptor's usual TCP port."""


class Role(Enum):
    """What a node is for.

    CONTROL: jobs are submitted there, and signed.
    HOP: it passes on what others send.
    WORKER: jobs run there.
    """

    CONTROL = "control"
    HOP = "hop"
    WORKER = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionEnvironment:
    """The container that a worker's jobs run in if they name none themselves.

    Args:
        image: the image's name.
        engine: the program that runs it, such as podman.
    """

    image: str
    engine: str = "podman"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshNode:
    """One node of a mesh.

    Args:
        name: its node id.
        role: what it is for.
        address: the host name or IP address that other nodes and SSH connect to.
        port: the TCP port it listens on; None if no node connects to it.
        peers: the names of the nodes that it connects to, in order.
        work_types: further work types of a worker: the command line by the name of the type.
        execution_environment: what jobs run in by default; None for the worker's own machine.
        line: where the node stands in mesh.yml, counted from 1.
    """

    name: str
    role: Role
    address: str
    port: int | None = None
    peers: tuple[str, ...] = ()
    work_types: Mapping[str, str] = field(default_factory=dict)
    execution_environment: ExecutionEnvironment | None = None
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshDescription:
    """A whole mesh.

    Args:
        name: what people call it; it becomes the name of its certificate authority.
        nodes: in the order of the file.
        tls: whether links and control services use mutual TLS.
        signed: whether workers accept signed work only.
        prefix: the directory of a node's files on its own host.
        venv: the virtual environment with receptor-runner on each host.
        datadir: where a node keeps its units on its own host.
        socket: the control socket of a node on its own host.
        work_type: the work type under which workers run receptor-runner.
    """

    name: str
    nodes: tuple[MeshNode, ...]
    tls: bool = True
    signed: bool = True
    prefix: str = "/etc/receptor"
    venv: str = "/opt/receptor-runner"
    datadir: str = "/var/lib/receptor"
    socket: str = "/run/receptor/receptor.sock"
    work_type: str = "receptor-runner"

    def node(self, name: str) -> MeshNode:
        """Return the node of that name.

        Raises:
            KeyError: there is none.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def with_role(self, role: Role) -> tuple[MeshNode, ...]:
        """Return the nodes of a role, in the order of the file."""
        return tuple(node for node in self.nodes if node.role is role)
