"""What is still missing until jobs can be sent to every worker from every control node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from receptor_runner.errors import NodeUnavailable
from receptor_runner.mesh.description import Role
from receptor_runner.receptor.control.protocol import Control, Deadlines
from receptor_runner.receptor.nodes.mesh import MESH_FIELDS, read_nodes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from receptor_runner.mesh.description import MeshDescription
    from receptor_runner.mesh.description import MeshNode as Described
    from receptor_runner.receptor.nodes.mesh import MeshNode as Seen

    View = Mapping[str, Seen]

_DEADLINES = Deadlines(connect_s=2.0, reply_s=5.0)


def read_view(socket: Path) -> View:
    """Return the nodes that the node behind a socket knows; none while it does not answer."""
    try:
        return read_nodes(Control(str(socket), deadlines=_DEADLINES).status(*MESH_FIELDS))
    except NodeUnavailable:
        return {}


def missing_workers(description: MeshDescription, views: Mapping[str, View]) -> dict[str, str]:
    """Return the workers that cannot take jobs yet, and why, in the order of the description.

    Args:
        description: the mesh as it is to be.
        views: by control node, the nodes that it knows; nothing while it does not answer.
    """
    reasons = {
        worker.name: [_reason(description, worker, name, view) for name, view in views.items()]
        for worker in description.with_role(Role.WORKER)
    }
    return {
        worker: next(filter(None, found))
        for worker, found in reasons.items()
        if any(reason is not None for reason in found)
    }


def _reason(description: MeshDescription, worker: Described, control: str, view: View) -> str | None:
    seen = view.get(worker.name)
    if not view:
        return f"node `{control}` does not answer"
    if seen is None or not seen.is_reachable:
        return f"node `{control}` has no route to it"
    missing = {description.work_type, *worker.work_types} - seen.work_types.keys()
    if missing:
        return f"node `{control}` has not received its work types: {', '.join(sorted(missing))}"
    return None
