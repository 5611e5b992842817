"""A mesh of real daemons, as a supervisor starts and stops it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from receptor_runner.mesh.description import MeshDescription, MeshNode, Role
from receptor_runner.mesh.local import LocalMesh
from receptor_runner.mesh.reading import load_mesh
from receptor_runner.mesh.sample import sample_mesh
from receptor_runner.pytest_plugin.services import NodePlace, place_of

_READY_S = 120.0


def describe(request: Mapping[str, Any]) -> MeshDescription:
    """Return the mesh that a request names.

    Args:
        request: `file`, the path of a mesh.yml; or `workers`, `hops`, `tls` and `signed`.

    Raises:
        MissingInput: the mesh.yml cannot be read.
        ConfigError: it describes no mesh.
    """
    if "file" in request:
        return load_mesh(Path(request["file"]))
    return sample_mesh(
        workers=request["workers"], hops=request["hops"], tls=request["tls"], signed=request["signed"]
    )


class MeshOfDaemons:
    """A mesh of real daemons.

    Args:
        description: the mesh.
        directory: everything of it is below this.
    """

    def __init__(self, description: MeshDescription, directory: Path) -> None:
        self._mesh = LocalMesh(description, directory / "mesh")

    def start(self) -> list[NodePlace]:
        """Start the mesh and wait until every worker can be reached from every control node."""
        self._mesh.start(timeout_s=_READY_S)
        return [self._place(node) for node in self._mesh.description.nodes]

    def _place(self, node: MeshNode) -> NodePlace:
        """Return where a node is; jobs for a worker go through the first control node, which signs them."""
        control = self._mesh.description.with_role(Role.CONTROL)[0]
        is_worker = node.role is Role.WORKER
        local = self._mesh.daemon(control.name if is_worker else node.name)
        return place_of(
            node.name,
            node.role.value,
            target=node.name if is_worker else None,
            socket=local.socket,
            config=local.config,
            log=self._mesh.daemon(node.name).log,
        )

    def stop(self) -> None:
        """Stop all daemons."""
        self._mesh.stop()
