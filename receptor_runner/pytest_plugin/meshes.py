"""Meshes of real daemons for tests; the fixture `receptor_mesh`."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from receptor_runner.errors import RunnerError
from receptor_runner.pytest_plugin.nodes import Node, Supervised, shown_plainly


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """A running mesh.

    Attributes:
        directory: holds everything of it; each node's log is in it too.
        nodes: all nodes by name. Jobs on a worker go through the first control node.
        control: the first control node.
        workers: the workers, in the order of the description.
    """

    directory: Path
    nodes: Mapping[str, Node]
    control: Node
    workers: tuple[Node, ...]

    @property
    def worker(self) -> Node:
        """The first worker."""
        return self.workers[0]

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReceptorMesh:
    """Starts meshes, each once for all tests of the session.

    Attributes:
        project: the directory that the paths of descriptions are relative to.
        environment: of the nodes.
    """

    project: Path
    environment: dict[str, str]
    _running: dict[str, tuple[Supervised, Mesh]] = field(default_factory=dict)

    def __call__(
        self,
        file: str | Path | None = None,
        *,
        workers: int = 1,
        hops: int = 0,
        tls: bool = True,
        signed: bool = True,
    ) -> Mesh:
        """Return a running mesh: that of a mesh.yml, or of the given size.

        The daemons run on this machine, whatever addresses and paths the description names. A mesh that another test
        of this process asked for is running already.

        Args:
            file: the mesh.yml; the other arguments do not count then.
            workers: how many nodes run jobs; they are `worker`, or `worker1`, `worker2`, and so on.
            hops: how many nodes stand between the workers and the node `control`.
            tls: whether links and control services use mutual TLS.
            signed: whether workers take signed work only.

        Raises:
            NodeUnavailable: the mesh does not start, or its description cannot be used.
        """
        __tracebackhide__ = True
        mesh: dict[str, Any] = {"workers": workers, "hops": hops, "tls": tls, "signed": signed}
        if file:
            mesh = {"file": str(self.project / file)}
        key = str(mesh)
        if key not in self._running:
            try:
                supervised = Supervised({"mesh": mesh}, self.environment)
            except RunnerError as error:
                raise shown_plainly(error) from None
            self._running[key] = supervised, _mesh(supervised)
        return self._running[key][1]

    def close(self) -> None:
        """Stop all meshes, side by side."""
        running = [supervised for supervised, _mesh in self._running.values()]
        if running:
            with ThreadPoolExecutor(max_workers=len(running)) as pool:
                list(pool.map(Supervised.close, running))

    def __repr__(self) -> str:
        return "<receptor_mesh>"


def _mesh(supervised: Supervised) -> Mesh:
    of_role: dict[str, list[Node]] = {"control": [], "worker": [], "hop": []}
    for node in supervised.nodes.values():
        of_role[node.role].append(node)
    return Mesh(
        directory=supervised.directory,
        nodes=supervised.nodes,
        control=of_role["control"][0],
        workers=tuple(of_role["worker"]),
    )
