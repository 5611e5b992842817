"""The nodes over which a job is spread."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from receptor_runner.errors import NodeUnavailable
from receptor_runner.receptor.nodes.destination import Destination
from receptor_runner.receptor.nodes.locate import other_node
from receptor_runner.receptor.nodes.mesh import MeshNode
from receptor_runner.receptor.nodes.preflight import check_known


def nodes_of_type(destination: Destination, work_type: str) -> tuple[str, ...]:
    """Return the nodes within reach that advertise a work type.

    Args:
        destination: how the local node is reached.
        work_type: the work type.

    Raises:
        NodeUnavailable: there is none, or the local node does not answer.
    """
    nodes = _mesh(destination)
    found = tuple(node.node for node in nodes.values() if node.is_reachable and work_type in node.work_types)
    if not found:
        offered = sorted({name for node in nodes.values() for name in node.work_types})
        raise NodeUnavailable(
            f"no node within reach advertises the work type `{work_type}`",
            cause=f"advertised: {', '.join(offered) or 'none'}",
            hint="receptor-runner nodes",
        )
    return found


def lanes(destination: Destination, names: Sequence[str]) -> tuple[str | None, ...]:
    """Return the lanes on named nodes; None for the local node, which an embedded one may be.

    All names are checked before anything runs: one may be mistyped. A node that is known and out of reach is no error,
    its slices go to the others.

    Raises:
        NodeUnavailable: a node is not known, or the local node does not answer.
    """
    chosen = tuple(map(other_node, names))
    remote = [name for name in dict.fromkeys(chosen) if name]
    if remote and destination.preflight:
        nodes = _mesh(dataclasses.replace(destination, node=remote[0]))
        for name in remote:
            check_known(nodes, name)
    return chosen


def _mesh(destination: Destination) -> Mapping[str, MeshNode]:
    with destination.local_node() as local:
        return {node.node: node for node in destination.nodes(destination.control(local))}
