"""Nodes start behind those they connect to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from receptor_runner.mesh.description import MeshNode, Role
from receptor_runner.mesh.local.order import start_order


def nodes(links: dict[str, tuple[str, ...]]) -> list[MeshNode]:
    """Return hops with these links."""
    return [MeshNode(name=name, role=Role.HOP, address=name, peers=peers) for name, peers in links.items()]


def names(links: dict[str, tuple[str, ...]]) -> list[str]:
    """Return the order of the start."""
    return [node.name for node in start_order(nodes(links))]


def test_row_from_its_end() -> None:
    """Whoever is connected to comes first, in the order of the file otherwise."""
    assert names({"worker": ("hop",), "other": ("hop",), "hop": ("control",), "control": ()}) == [
        "control",
        "hop",
        "worker",
        "other",
    ]


def test_circle() -> None:
    """Nodes that connect in a circle all start, and so does what hangs on them."""
    assert names({"leaf": ("a",), "a": ("b",), "b": ("a",)}) == ["leaf", "a", "b"]


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3), min_size=1)
)
def test_each_node_once(links: dict[str, list[str]]) -> None:
    """Whatever the links, each node starts once; without circles no peer comes late."""
    known = {name: tuple(peer for peer in peers if peer in links) for name, peers in links.items()}
    order = names(known)

    assert sorted(order) == sorted(links)
    downhill = {name: tuple(peer for peer in peers if peer < name) for name, peers in known.items()}
    ordered = names(downhill)
    assert all(ordered.index(peer) < ordered.index(name) for name in ordered for peer in downhill[name])
