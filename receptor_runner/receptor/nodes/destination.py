"""Where a job is to run, and how that node is reached."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from receptor_runner.archive.zip_format import FAST_LEVEL, SMALL_LEVEL
from receptor_runner.receptor.control.connection import Tls
from receptor_runner.receptor.control.protocol import Control, Deadlines
from receptor_runner.receptor.control.retry import RetryPolicy
from receptor_runner.receptor.nodes.locate import LocalNode, open_local_node, other_node
from receptor_runner.receptor.nodes.mesh import MESH_FIELDS, MeshNode, read_nodes

_SOCKET_WITHIN_S = 3.0

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a job is to run.

    Attributes:
        socket: the address of the local node; by default RECEPTORCTL_SOCKET, a usual place, or an embedded node.
        node: the target node; None for the local node, which `localhost` means too.
        work_type: the work type there; by default ours, else ansible-runner's.
        params: additional parameters for the worker.
        tls_client: the local node's TLS client for the target node; None follows what the target node advertises,
            "" means none.
        config: the local node's receptor.yml, where its TLS client is looked up.
        ttl: how long a remote unit may wait for its start, as a Go duration; ten minutes by default.
        sign: whether the request is signed; None follows what the target node advertises.
        preflight: whether target node and work type are checked before the upload.
        store: whether files that the worker has kept from earlier jobs stay at home.
        compression_level: how hard files and results are compressed, 0 to 9; None for what suits the way.
        tls: certificates for a `tls://` socket.
        deadlines: how long each exchange with the node may take.
        retry: how idempotent exchanges are retried, for every command and for the following; by default as the
            environment says.
    """

    socket: str | None = None
    node: str | None = None
    work_type: str | None = None
    params: str | None = None
    tls_client: str | None = None
    config: Path | None = None
    ttl: str | None = None
    sign: bool | None = None
    preflight: bool = True
    store: bool = True
    compression_level: int | None = None
    tls: Tls | None = None
    deadlines: Deadlines = field(default_factory=Deadlines)
    retry: RetryPolicy = field(default_factory=RetryPolicy.from_environment)

    def __post_init__(self) -> None:
        object.__setattr__(self, "node", other_node(self.node))

    @contextlib.contextmanager
    def local_node(self) -> Iterator[LocalNode]:
        """Provide the local node; an embedded one is being started for this purpose, if none was named and none exists.

        Raises:
            NodeUnavailable: another node is wanted, but no node was found that could lead there.
            OutputFailed: the directory of an embedded node cannot be written.
        """
        with open_local_node(self.socket, nodes=(self.node,), tls_client=self.tls_client) as found:
            yield found

    def level(self, local: LocalNode | None = None) -> int | None:
        """Return how hard files and results are compressed: as was asked for, else as the way suggests; None as usual.

        Args:
            local: the local node, if it is the same for the whole job.
        """
        if self.compression_level is not None:
            return self.compression_level
        if self.node:
            return SMALL_LEVEL
        return FAST_LEVEL if local and local.embedded else None

    def control(self, local: LocalNode) -> Control:
        """Return the control service of a local node; an embedded one is started whenever it is found gone."""
        revive = local.embedded.ensure_running if local.embedded else None
        return Control(local.socket, deadlines=self.deadlines, tls=self.tls, revive=revive)

    def ask(self, control: Control, step: Callable[[], Result], what: str) -> Result:
        """Return what an idempotent step says that asks a local node, trying again while that is unreachable.

        A socket that does not exist is not waited for so long: a node that starts again makes it soon, a typo never.

        Args:
            control: the local node.
            step: the step.
            what: its name, for the log.

        Raises:
            NodeUnavailable: it does not answer, or what the step raises.
        """
        self.retry.at_most(_SOCKET_WITHIN_S).call(control.check_socket, "finding the socket")
        return self.retry.call(step, what)

    def nodes(self, control: Control) -> list[MeshNode]:
        """Return the nodes of the mesh, the local node first.

        Args:
            control: the local node.

        Raises:
            NodeUnavailable: it does not answer.
        """
        status = self.ask(control, lambda: control.status(*MESH_FIELDS), "reading the mesh status")
        return list(read_nodes(status).values())
