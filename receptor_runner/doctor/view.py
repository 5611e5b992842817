"""What the steps learn about the local node and the target nodes, and share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from receptor_runner.receptor.control.connection import path_of
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.nodes.destination import Destination
from receptor_runner.receptor.nodes.locate import LocalNode, other_node
from receptor_runner.receptor.nodes.mesh import MeshNode
from receptor_runner.receptor.nodes.preflight import Route, check_reach
from receptor_runner.receptor_config.document import Document


@dataclass(slots=True)
class LocalView:
    """The local node, and what the steps have learned about it.

    Attributes:
        destination: how it is reached.
        local: where it is.
        control: its control service.
        wanted: the target nodes that were named; empty for all workers.
        node_id: its id.
        version: the version of its daemon, "" if it does not say.
        nodes: the nodes of the mesh.
        document: its receptor.yml.
    """

    destination: Destination
    local: LocalNode
    control: Control
    wanted: tuple[str, ...] = ()
    node_id: str = ""
    version: str = ""
    nodes: Mapping[str, MeshNode] = field(default_factory=dict)
    document: Document | None = None

    @property
    def path(self) -> Path | None:
        """The path of its socket; None for another kind of address."""
        return path_of(self.local.socket)

    @property
    def targets(self) -> tuple[str, ...]:
        """The target nodes to check: those that were named, else all that take jobs."""
        if self.wanted:
            return tuple(dict.fromkeys(self._name_of(name) for name in self.wanted))
        work_type = self.destination.work_type
        return tuple(
            name
            for name, node in self.nodes.items()
            if (work_type in node.work_types if work_type else node.worker_type)
        )

    def _name_of(self, name: str) -> str:
        """Return a node's id."""
        return other_node(name) or self.node_id


@dataclass(slots=True)
class NodeView:
    """A target node, and what the steps have learned about it.

    Attributes:
        here: the local node.
        name: the id of the target node.
        within_s: how long a unit may take.
        node: what the mesh knows of it.
        route: where its jobs go.
        tls_client: the local node's TLS client for it, "" for none.
        version: the version of its daemon, "" if it does not say.
        facts: what its worker reports.
        asked: when its worker was asked and when the report was there, by our clock (seconds since the epoch).
    """

    here: LocalView
    name: str
    within_s: float
    node: MeshNode | None = None
    route: Route | None = None
    tls_client: str = ""
    version: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    asked: tuple[float, float] = (0.0, 0.0)

    @property
    def destination(self) -> Destination:
        """How its jobs are submitted."""
        return dataclasses.replace(self.here.destination, node=self.name, tls_client=self.tls_client)

    def known(self) -> MeshNode:
        """Return what the mesh knows of the node.

        Raises:
            NodeUnavailable: no such node is known, or there is no route to it.
        """
        if self.node is None:
            self.node = check_reach(self.here.nodes, self.name)
        return self.node
