"""Checks before anything is uploaded: the target node exists and offers the work type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from receptor_runner.errors import NodeUnavailable, Rejected, Unreachable
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.nodes.locate import other_node
from receptor_runner.receptor.nodes.mesh import MESH_FIELDS, PREFERRED_WORK_TYPES, MeshNode, read_nodes

_FEW = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a job goes.

    Attributes:
        node: the id of the target node.
        local: the id of the local node.
        work_type: the work type there.
        wants_signature: whether it advertises that it verifies signatures; None if that is not known.
        wants_tls: whether its control service is behind TLS; None if that is not known.
    """

    node: str
    local: str
    work_type: str
    wants_signature: bool | None = None
    wants_tls: bool | None = None

    @property
    def is_local(self) -> bool:
        """Whether the job runs on the local node."""
        return self.node == self.local


def find_route(control: Control, node: str | None, work_type: str | None) -> Route:
    """Return the route to a node and a work type that it advertises.

    Args:
        control: the local node.
        node: the target node; by default the local node.
        work_type: the work type; by default ours, else ansible-runner's.

    Raises:
        NodeUnavailable: no such node is known.
        Rejected: it does not offer that work type.
        Unreachable: the local node does not answer, or the target node is known but has not advertised yet, which may
            take a minute.
    """
    nodes = read_nodes(control.status(*MESH_FIELDS))
    own = next(iter(nodes))
    target = _target(nodes, other_node(node) or own)
    return route_to(target, own, choose_work_type(target, work_type, nodes.values()))


def assume_route(control: Control, node: str | None, work_type: str | None) -> Route:
    """Return the route to a node and a work type without checking either.

    Raises:
        Unreachable: the local node does not answer.
    """
    own = str(control.status("NodeID").get("NodeID"))
    return Route(node=other_node(node) or own, local=own, work_type=work_type or PREFERRED_WORK_TYPES[0])


def route_to(target: MeshNode, local: str, work_type: str) -> Route:
    """Return the route to a node that advertises a work type.

    Args:
        target: the node.
        local: the id of the local node.
        work_type: one of the node's work types.
    """
    return Route(
        node=target.node,
        local=local,
        work_type=work_type,
        wants_signature=target.work_types[work_type],
        wants_tls=target.wants_tls,
    )


def _target(nodes: Mapping[str, MeshNode], name: str) -> MeshNode:
    target = check_reach(nodes, name)
    if not target.is_advertised:
        raise Unreachable(
            f"node `{name}` has not advertised its work types yet",
            cause="an advertisement takes up to a minute to arrive",
            hint="wait, or submit without the check: --no-preflight",
        )
    return target


def check_known(nodes: Mapping[str, MeshNode], name: str) -> MeshNode:
    """Return a node of the mesh, with or without a route.

    Args:
        nodes: the nodes of the mesh by id.
        name: the id of the node.

    Raises:
        NodeUnavailable: no such node is known.
    """
    if name not in nodes:
        raise NodeUnavailable(
            f"unknown node `{name}`",
            cause=f"the nodes of the mesh are {_listed(nodes)}",
            hint=_nearest(name, nodes) or "list the nodes: receptor-runner nodes",
        )
    return nodes[name]


def check_reach(nodes: Mapping[str, MeshNode], name: str) -> MeshNode:
    """Return a node of the mesh that has a route.

    Args:
        nodes: the nodes of the mesh by id.
        name: the id of the node.

    Raises:
        NodeUnavailable: no such node is known.
        Unreachable: there is no route to it.
    """
    target = check_known(nodes, name)
    if not target.is_reachable:
        raise Unreachable(
            f"there is no route to node `{name}` now",
            cause=f"the local node reaches: {_listed(_in_reach(nodes))}",
            hint=f"start it, or check its link: receptor-runner doctor --node {name}",
        )
    return target


def choose_work_type(target: MeshNode, wanted: str | None, others: Iterable[MeshNode] = ()) -> str:
    """Return the work type for a job: the one that was named, else ours, else ansible-runner's.

    Args:
        target: the node.
        wanted: the work type that was named.
        others: nodes that may be taken instead.

    Raises:
        Rejected: the node does not offer it.
    """
    chosen = wanted or target.worker_type or ""
    if chosen in target.work_types:
        return chosen
    name = wanted or PREFERRED_WORK_TYPES[0]
    raise Rejected(
        f"node `{target.node}` does not offer the work type `{name}`",
        cause=f"it offers: {_listed(target.work_types)}",
        hint=_offering(others, wanted)
        or _nearest(name, target.work_types)
        or "add a work-command to the node's receptor.yml",
    )


def _offering(nodes: Iterable[MeshNode], wanted: str | None) -> str | None:
    """Return a hint at the nodes within reach that offer a work type, by default that of a worker."""
    names = [
        node.node
        for node in nodes
        if node.is_reachable and (wanted in node.work_types if wanted else node.worker_type)
    ]
    if not names:
        return None
    others = "; list all: receptor-runner nodes" if names[_FEW:] else ""
    return f"name one with --node: {', '.join(names[:_FEW])}{others}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _in_reach(nodes: Mapping[str, MeshNode]) -> list[str]:
    return [node.node for node in nodes.values() if node.is_reachable]


def _nearest(name: str, names: Iterable[str]) -> str | None:
    import difflib

    near = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean `{near[0]}`?" if near else None
