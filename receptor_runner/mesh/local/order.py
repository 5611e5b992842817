"""In which order the nodes of a mesh are started."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from receptor_runner.mesh.description import MeshNode


def start_order(nodes: Iterable[MeshNode]) -> list[MeshNode]:
    """Return the nodes, each behind those it connects to; nodes that connect in a circle in the given order.

    Source: a daemon whose peer does not listen yet tries again only after 5 s, and then after longer waits. A link that
    is missing when a worker announces its work types costs a minute, until it does so again.
    """
    waiting = list(nodes)
    ordered: list[MeshNode] = []
    while waiting:
        names = {node.name for node in waiting}
        following = next((node for node in waiting if names.isdisjoint(node.peers)), waiting[0])
        waiting.remove(following)
        ordered.append(following)
    return ordered
