"""What a mesh.yml describes: the nodes of a mesh, their roles and links, and the settings that all nodes share."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PORT = 27199
"""Receptor's usual TCP port."""

DEFAULT_ENGINE = "podman"
"""The container engine of execution environments that name none."""


class Role(Enum):
    """What a node is for.

    CONTROL: clients submit and sign jobs there.
    HOP: it forwards traffic between other nodes.
    WORKER: it runs jobs.
    """

    CONTROL = "control"
    HOP = "hop"
    WORKER = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionEnvironment:
    """The container that a worker's jobs run in unless they choose their own isolation.

    Args:
        image: the name of the image.
        engine: the program that runs it, podman or docker.
    """

    image: str
    engine: str = DEFAULT_ENGINE


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshNode:
    """One node of a mesh.

    Args:
        name: its node id.
        role: what it is for.
        address: the host name or IP address that other nodes and SSH connect to.
        port: the TCP port it listens on; None if no node connects to it.
        peers: the names of the nodes that it connects to, in order.
        work_types: a worker's additional work types: command lines by the name of the type.
        execution_environment: the container that jobs run in by default; None to run them on the host.
        line: the line of the node in mesh.yml, counted from 1; 0 if it was not read from a file.
        lines: the lines of its keys, and of what is below them as `peers/NAME` and `work_types/NAME`.
    """

    name: str
    role: Role
    address: str
    port: int | None = None
    peers: tuple[str, ...] = ()
    work_types: Mapping[str, str] = field(default_factory=dict)
    execution_environment: ExecutionEnvironment | None = None
    line: int = field(default=0, compare=False)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    @property
    def endpoint(self) -> str:
        """What its peers connect to, as `host:port`; an IPv6 address is in brackets."""
        return f"[{self.address}]:{self.port}" if is_ipv6(self.address) else f"{self.address}:{self.port}"

    def line_of(self, key: str) -> int:
        """Return the line of one of its keys, such as `port` or `peers/hop`; the node's own if it is not set."""
        return self.lines.get(key, self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshDescription:
    """A whole mesh.

    Args:
        name: what people call it; its certificate authority has this name too.
        nodes: in the order of the file.
        tls: whether links and control services use mutual TLS.
        signed: whether workers accept only signed work.
        prefix: the directory of a node's files on its own host.
        venv: the virtual environment with receptor-runner on each host.
        datadir: where a node keeps its units on its own host.
        socket: the control socket of a node on its own host.
        work_type: the work type under which workers run receptor-runner.
        lines: the lines of the keys in mesh.yml.
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
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

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

    def connecting_to(self, name: str) -> tuple[MeshNode, ...]:
        """Return the nodes that connect to a node, in the order of the file."""
        return tuple(node for node in self.nodes if name in node.peers)

    def neighbors(self, name: str) -> tuple[str, ...]:
        """Return the names at the other ends of a node's links, whichever end connects."""
        inbound = (node.name for node in self.connecting_to(name))
        return tuple(dict.fromkeys((*self.node(name).peers, *inbound)))

    def links(self) -> dict[str, tuple[str, ...]]:
        """Return the neighbors of every node; peers that are not in the mesh are left out."""
        found: dict[str, dict[str, None]] = {node.name: {} for node in self.nodes}
        for node in self.nodes:
            for peer in node.peers:
                if peer in found and peer != node.name:
                    found[node.name][peer] = None
                    found[peer][node.name] = None
        return {name: tuple(neighbors) for name, neighbors in found.items()}

    def distances(self, name: str) -> dict[str, int]:
        """Return how many links away from a node every node is that it can reach, the nearest first."""
        links, found = self.links(), {name: 0}
        for near in (order := [name]):
            for neighbor in links[near]:
                if neighbor not in found:
                    found[neighbor] = found[near] + 1
                    order.append(neighbor)
        return found

    def line_of(self, key: str) -> int:
        """Return the line of a key of the mesh, 0 if it is not set in a file."""
        return self.lines.get(key, 0)


def is_ipv6(address: str) -> bool:
    """Return whether an address is an IPv6 address, without brackets."""
    try:
        return ipaddress.ip_address(address).version == 6
    except ValueError:
        return False
