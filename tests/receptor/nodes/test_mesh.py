"""The nodes of a mesh, read from statuses as daemons give them."""

from __future__ import annotations

from typing import Any

import pytest
from receptor_runner.receptor.nodes.mesh import MeshNode, read_nodes

STATUS: dict[str, Any] = {
    "NodeID": "ctl",
    "RoutingTable": {"hop": "hop", "exec": "hop"},
    "KnownConnectionCosts": {"ctl": {"hop": 1}, "hop": {"ctl": 1, "exec": 1}, "gone": {"exec": 1}},
    "Advertisements": [
        {
            "NodeID": "exec",
            "Service": "control",
            "Time": "2026-11-24T07:59:27.251556252Z",
            "ConnType": 2,
            "Tags": {"type": "Control Service"},
            "WorkCommands": [
                {"WorkType": "receptor-runner", "Secure": True},
                {"WorkType": "cat", "Secure": False},
            ],
        },
        {"NodeID": "exec", "Service": "proxy", "Time": "2026-11-24T07:58:00Z", "ConnType": 1, "Tags": None},
        {"NodeID": "ctl", "Service": "control", "Time": "2026-11-24T07:59:36Z", "ConnType": 1},
        {"NodeID": "ctl", "Service": "proxy", "Time": "2026-11-24T07:59:36Z", "ConnType": 2},
    ],
}


def test_all_that_are_known_are_listed() -> None:
    """Nodes that advertise, are routed or are only named by others; the local node first."""
    assert list(read_nodes(STATUS)) == ["ctl", "exec", "gone", "hop"]


def test_a_worker() -> None:
    """Work types, signature, TLS of the control service, next hop and the newest word."""
    assert read_nodes(STATUS)["exec"] == MeshNode(
        node="exec",
        next_hop="hop",
        is_advertised=True,
        wants_tls=True,
        work_types={"cat": False, "receptor-runner": True},
        last_seen="2026-11-24T07:59:27.251556252Z",
    )


def test_only_the_control_service_counts_for_tls() -> None:
    """Another service behind TLS says nothing of how work is given to a node."""
    assert not read_nodes(STATUS)["ctl"].wants_tls


def test_what_is_reachable() -> None:
    """The local node itself, and whatever a way leads to."""
    found = read_nodes(STATUS)
    assert {name: node.is_reachable for name, node in found.items()} == {
        "ctl": True,
        "exec": True,
        "gone": False,
        "hop": True,
    }


@pytest.mark.parametrize(
    ("types", "chosen"),
    [
        (("ansible-runner", "receptor-runner"), "receptor-runner"),
        (("ansible-runner",), "ansible-runner"),
        (("cat",), None),
    ],
)
def test_which_work_type_takes_jobs(types: tuple[str, ...], chosen: str | None) -> None:
    """Ours is preferred; ansible-runner's will do; others are no workers."""
    node = MeshNode(node="n", work_types=dict.fromkeys(types, False))
    assert node.worker_type == chosen


def test_a_bare_status() -> None:
    """A node without a mesh, whose lists are null, knows itself."""
    bare = {"NodeID": "n1", "Advertisements": None, "RoutingTable": None, "KnownConnectionCosts": None}
    assert read_nodes(bare) == {"n1": MeshNode(node="n1", is_local=True)}
