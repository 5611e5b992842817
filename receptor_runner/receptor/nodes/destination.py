"""Where a job is to run, and how that place is reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from receptor_runner.errors import NodeUnavailable
from receptor_runner.receptor.control.connection import Tls
from receptor_runner.receptor.control.protocol import Control, Deadlines
from receptor_runner.receptor.control.retry import RetryPolicy
from receptor_runner.receptor.jobs.record import Record
from receptor_runner.receptor.nodes.embedded import embedded_address, ensure_running
from receptor_runner.receptor.nodes.locate import NodeAddress, locate


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a job is to run.

    Attributes:
        socket: the address of the node that is asked; by default RECEPTORCTL_SOCKET, a usual place, or the embedded
            node.
        node: the node where it runs; by default the asked one.
        work_type: the work-command there; by default ours, else ansible-runner's.
        params: further words for the worker's command line.
        tls_client: the asked node's TLS configuration towards the other; None leaves it to what the node
            advertises, "" means none.
        config: the asked node's receptor.yml, where its TLS client is looked up.
        ttl: how long a remote unit may wait for its start, as a Go duration; ten minutes by default.
        sign: whether the request is signed; None leaves it to what the node advertises.
        preflight: whether node and work type are checked before the upload.
        tls: certificates for a `tls://` socket.
        deadlines: how long each exchange with the node may take.
        retry: how idempotent exchanges are tried again.
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
    tls: Tls | None = None
    deadlines: Deadlines = field(default_factory=Deadlines)
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def address(self) -> NodeAddress:
        """Return the node that is asked; the embedded one is started if it does not run.

        The embedded node serves only where nothing was named.

        Raises:
            NodeUnavailable: another node is wanted, but none was named that leads to it.
        """
        found = locate(self.socket)
        if found:
            return found
        if self.node or self.tls_client:
            raise NodeUnavailable(
                "no node leads to the mesh",
                cause="no socket was named, and none exists in the usual places",
                hint="name the socket of a Receptor node with --socket or RECEPTORCTL_SOCKET",
            )
        return ensure_running()

    def control(self, address: NodeAddress) -> Control:
        """Return the control service at an address."""
        revive = ensure_running if address.embedded else None
        return Control(address.socket, deadlines=self.deadlines, tls=self.tls, revive=revive)


def reach(record: Record) -> NodeAddress:
    """Return the node that was asked for a job; an embedded one is started if it does not run."""
    if record.embedded and record.socket == embedded_address().socket and not record.released:
        return ensure_running()
    return NodeAddress(socket=record.socket, source="the job's record", embedded=record.embedded)
