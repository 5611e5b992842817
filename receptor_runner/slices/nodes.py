"""The nodes over which a job is spread."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence

from receptor_runner.errors import NodeUnavailable
from receptor_runner.receptor.nodes.destination import Destination
from receptor_runner.receptor.nodes.mesh import MESH_FIELDS, MeshNode, read_nodes


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

    Raises:
        NodeUnavailable: a node is not known, or the local node does not answer.
    """
    remote = [name for name in dict.fromkeys(names) if name.lower() != "localhost"]
    if remote and destination.preflight:
        check_known(dataclasses.replace(destination, node=remote[0]), remote)
    return tuple(name if name in remote else None for name in names)


def check_known(destination: Destination, names: Sequence[str]) -> None:
    """Check that all nodes are known, before anything runs on one of them: a name may be mistyped.

    A node that is known and out of reach is no error: its slices go to the others.

    Raises:
        NodeUnavailable: one is not, or the local node does not answer.
    """
    nodes = _mesh(destination)
    for name in names:
        if name not in nodes:
            near = difflib.get_close_matches(name, list(nodes), n=1)
            raise NodeUnavailable(
                f"unknown node `{name}`",
                cause=f"the nodes of the mesh are {', '.join(sorted(nodes))}",
                hint=f"did you mean `{near[0]}`?" if near else "list the nodes: receptor-runner nodes",
            )


def _mesh(destination: Destination) -> Mapping[str, MeshNode]:
    with destination.local_node() as local:
        control = destination.control(local)
        status = destination.retry.call(lambda: control.status(*MESH_FIELDS), "asking for the nodes")
    return read_nodes(status)
