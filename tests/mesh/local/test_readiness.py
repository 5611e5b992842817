"""A mesh is ready when every control node can send jobs to every worker; until then, what is missing has a name."""

from __future__ import annotations

from receptor_runner.mesh.description import MeshDescription, MeshNode, Role
from receptor_runner.mesh.local.readiness import missing_workers
from receptor_runner.receptor.nodes.mesh import MeshNode as Seen

MESH = MeshDescription(
    name="mesh",
    nodes=(
        MeshNode(name="one", role=Role.CONTROL, address="one"),
        MeshNode(name="two", role=Role.CONTROL, address="two"),
        MeshNode(name="plain", role=Role.WORKER, address="plain", peers=("one",)),
        MeshNode(name="rich", role=Role.WORKER, address="rich", peers=("one",), work_types={"up": "/bin/up"}),
    ),
)


def seen(name: str, *work_types: str, hop: str | None = "hop") -> Seen:
    """Return a node as a control node knows it."""
    return Seen(node=name, next_hop=hop, is_advertised=True, work_types=dict.fromkeys(work_types, False))


COMPLETE = {"plain": seen("plain", "receptor-runner"), "rich": seen("rich", "receptor-runner", "up")}


def test_complete() -> None:
    """Nothing is missing where both control nodes know everything."""
    assert missing_workers(MESH, {"one": COMPLETE, "two": COMPLETE}) == {}


def test_one_control_node_knows_less() -> None:
    """One control node that knows less is enough for a worker to be missing, with the work type that it lacks."""
    less = COMPLETE | {"rich": seen("rich", "receptor-runner")}

    assert missing_workers(MESH, {"one": COMPLETE, "two": less}) == {
        "rich": "node `two` has not received its work types: up"
    }


def test_no_route_and_no_answer() -> None:
    """A worker without a route is missing, and so is every worker while a control node does not answer."""
    unrouted = COMPLETE | {"plain": seen("plain", "receptor-runner", hop=None)}

    assert missing_workers(MESH, {"one": unrouted, "two": COMPLETE}) == {
        "plain": "node `one` has no route to it"
    }
    assert missing_workers(MESH, {"one": {}, "two": COMPLETE}) == {
        "plain": "node `one` does not answer",
        "rich": "node `one` does not answer",
    }
