"""Draws a mesh as text: a tree from the first control node outwards, as a terminal shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from receptor_runner.mesh.description import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from receptor_runner.mesh.description import MeshDescription, MeshNode


def graph_text(description: MeshDescription, *, width: int | None = None) -> str:
    """Return the mesh as text.

    Each node stands below the one through which jobs reach it first. Links that close a circle are named in the line of
    the node that is farther away: `also linked to`. Nodes that no control node reaches stand at the end.

    Args:
        description: the mesh.
        width: how many columns a line may have; None for as many as it needs.
    """
    parents = spanning_tree(description)
    lines: list[str] = []
    for node in description.nodes:
        if node.name not in parents:
            lines += _subtree(description, node, parents, "", "")
    return "".join(f"{_cut(line, width)}\n" for line in lines)


def _cut(line: str, width: int | None) -> str:
    return line if width is None or len(line) <= width else f"{line[: width - 1]}…"


def spanning_tree(description: MeshDescription) -> dict[str, str]:
    """Return the parent of each node but the roots, by the fewest links from the first control node.

    What the control nodes cannot reach gets roots of its own.
    """
    links = description.links()
    parents: dict[str, str] = {}
    placed: set[str] = set()
    controls = description.with_role(Role.CONTROL)
    for root in (*controls, *description.nodes):
        if root.name in placed:
            continue
        placed.add(root.name)
        for near in (order := [root.name]):
            for neighbor in links[near]:
                if neighbor not in placed:
                    placed.add(neighbor)
                    parents[neighbor] = near
                    order.append(neighbor)
    return parents


def _subtree(
    description: MeshDescription, node: MeshNode, parents: dict[str, str], first: str, rest: str
) -> Iterator[str]:
    """Yield the line of a node and those of its children.

    Args:
        first: what stands before its own line.
        rest: what stands before the lines below it.
    """
    yield first + _line(description, node, parents)
    children = [child for child in description.nodes if parents.get(child.name) == node.name]
    for child in children:
        is_last = child is children[-1]
        branch, indent = ("└── ", "    ") if is_last else ("├── ", "│   ")
        yield from _subtree(description, child, parents, rest + branch, rest + indent)


def _line(description: MeshDescription, node: MeshNode, parents: dict[str, str]) -> str:
    address = node.endpoint if node.port else node.address
    text = f"{node.name}  {node.role.value}  {address}"
    if parent := parents.get(node.name):
        # An arrow shows which end opens the connection, and so which way a firewall must let through.
        text += f"  {'→' if parent in node.peers else '←'} {parent}"
    others = list(_other_links(description, node, parents))
    return f"{text}  (also linked to {', '.join(others)})" if others else text


def _other_links(description: MeshDescription, node: MeshNode, parents: dict[str, str]) -> Iterator[str]:
    order = [known.name for known in description.nodes]
    for name in description.neighbors(node.name):
        is_in_tree = parents.get(node.name) == name or parents.get(name) == node.name
        if name in order and not is_in_tree and order.index(name) < order.index(node.name):
            yield name
