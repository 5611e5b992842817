"""Which node a command talks to, and where work runs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from receptor_runner.cli import completions, parameters
from receptor_runner.cli.configuration.settings import source_of, take_profile
from receptor_runner.cli.parameters import option, seconds

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from receptor_runner.receptor.control.connection import Tls
    from receptor_runner.receptor.control.retry import RetryPolicy
    from receptor_runner.receptor.nodes.destination import Destination
    from receptor_runner.receptor.nodes.locate import LocalNode


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessOptions:
    """What the local node asks for before it lets us in."""

    profile: str | None = option(
        "--profile",
        is_eager=True,
        callback=take_profile,
        envvar="RECEPTOR_RUNNER_PROFILE",
        show_envvar=True,
        metavar="NAME",
        shell_complete=completions.profiles,
        help="Use this profile of the configuration files.",
    )
    rootcas: str | None = option(
        "--rootcas",
        metavar="FILE",
        shell_complete=completions.files,
        help="CA certificates (PEM) that a tls:// socket is verified against.",
    )
    key: str | None = option(
        "--key",
        metavar="FILE",
        shell_complete=completions.files,
        help="Client key (PEM) for a tls:// socket.",
    )
    cert: str | None = option(
        "--cert",
        metavar="FILE",
        shell_complete=completions.files,
        help="Client certificate (PEM) for a tls:// socket.",
    )

    def tls(self) -> Tls:
        """Return the certificates for a `tls://` socket."""
        from receptor_runner.receptor.control.connection import Tls

        return Tls(rootcas=self.rootcas, key=self.key, cert=self.cert)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions(AccessOptions):
    """How the local node is reached, and for how long that is tried."""

    retry_deadline: float = seconds(
        "--retry-deadline",
        60.0,
        "How long to retry while the local node does not answer.",
        "RECEPTOR_RUNNER_RETRY_DEADLINE",
    )
    retry_max_wait: float = seconds(
        "--retry-max-wait", 10.0, "The longest wait between two tries.", "RECEPTOR_RUNNER_RETRY_MAX_WAIT"
    )

    def retry(self) -> RetryPolicy:
        """Return the retry policy that the options describe."""
        from receptor_runner.receptor.control.retry import RetryPolicy

        return RetryPolicy(deadline_s=self.retry_deadline, max_wait_s=self.retry_max_wait)


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketOptions:
    """Which node is the local node."""

    socket: str | None = option(
        "--socket",
        metavar="ADDRESS",
        shell_complete=completions.files,
        help="Control socket of the local node. A path, tcp://host:port or tls://host:port. Default: "
        "one of the usual paths, else an embedded node.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOptions:
    """Which TLS client the local node uses towards the target node."""

    tls_client: str | None = option(
        "--tls-client",
        metavar="NAME",
        help="The tls-client in the local node's receptor.yml to use towards the target node. Default: the only "
        "one there, if the target node requires TLS.",
    )
    config: Path | None = option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The local node's receptor.yml, to look up its tls-client. Default: the one it was started with.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOptions:
    """How a unit is submitted."""

    work_type: str | None = option(
        "--work-type",
        shell_complete=completions.work_types,
        help="The work type. Default: receptor-runner, else ansible-runner.",
    )
    params: str | None = option("--work-params", help="More words for the worker's command line.")
    sign: bool | None = option(
        "--signwork/--no-signwork",
        default=None,
        help="Sign the work, or do not. Default: what the target node advertises.",
    )
    ttl: str = option(
        "--ttl",
        default="10m",
        show_default=True,
        help="How long a remote job may wait for its start: 30s, 10m, 1h. After that it never runs.",
    )
    no_preflight: bool = option(
        "--no-preflight", is_flag=True, help="Submit without checking node and work type first."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOptions(WorkOptions):
    """Where a unit runs, and how it is submitted."""

    node: str | None = option(
        "--node", shell_complete=completions.nodes, help="The target node. Default: the local node."
    )


_NO_STORE = {
    "is_flag": True,
    "help": "Send all files, even those that the worker has kept from an earlier job, and let it keep none.",
}

_LEVEL = parameters.compression_level(
    " Default: 1 for an embedded node, 6 for another node of the mesh, else 3."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTargetOptions(TargetOptions):
    """Where a job runs, and how its files are sent."""

    no_store: bool = option("--no-store", **_NO_STORE)
    compression_level: int | None = option("--compression-level", **_LEVEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodesOptions(WorkOptions):
    """Where a job runs: on one node, or in slices on many."""

    node: tuple[str, ...] = option(
        "--node",
        multiple=True,
        shell_complete=completions.nodes,
        help="The target node; several run a slice each.",
    )
    nodes_of_type: str | None = option(
        "--nodes-of-type",
        metavar="TYPE",
        shell_complete=completions.work_types,
        help="Run in slices on all nodes that advertise this work type.",
    )
    slices: int | None = option(
        "--slices",
        type=click.IntRange(1),
        metavar="N",
        help="Cut the hosts into N slices. Each node runs one at a time.",
    )
    rerun_slice: tuple[int, ...] = option(
        "--rerun-slice",
        type=click.IntRange(1),
        multiple=True,
        metavar="K",
        help="With -i: run slice K of an ended job again, the others not; repeatable.",
    )
    no_store: bool = option("--no-store", **_NO_STORE)
    compression_level: int | None = option("--compression-level", **_LEVEL)

    @property
    def in_slices(self) -> bool:
        """Whether the job runs in slices."""
        return len(self.node) > 1 or bool(self.nodes_of_type or self.slices or self.rerun_slice)

    def target(self) -> JobTargetOptions:
        """Return the options for one node: the first one that is named."""
        shared = {field.name: getattr(self, field.name) for field in fields(JobTargetOptions)}
        shared["node"] = next(iter(self.node), None)
        shared["work_type"] = self.work_type or self.nodes_of_type
        return JobTargetOptions(**shared)


_NO_SOCKET, _NO_TLS, _NO_TARGET = SocketOptions(), TlsOptions(), TargetOptions()


def open_local_node(
    local: SocketOptions, tls: TlsOptions, target: TargetOptions
) -> AbstractContextManager[LocalNode]:
    """Provide the local node that the options describe.

    Only light modules are imported: an embedded node then starts while we import the others and pack the job.
    """
    from receptor_runner.receptor.nodes.locate import open_local_node

    source = source_of(click.get_current_context(), "socket") if local.socket else ""
    return open_local_node(local.socket, source=source, nodes=(target.node,), tls_client=tls.tls_client)


def destination(
    connection: ConnectionOptions,
    local: SocketOptions = _NO_SOCKET,
    tls: TlsOptions = _NO_TLS,
    target: TargetOptions = _NO_TARGET,
) -> Destination:
    """Return the destination that the options describe."""
    from receptor_runner.receptor.nodes.destination import Destination

    return Destination(
        socket=local.socket,
        node=target.node,
        work_type=target.work_type,
        params=target.params,
        tls_client=tls.tls_client,
        config=tls.config,
        ttl=target.ttl,
        sign=target.sign,
        preflight=not target.no_preflight,
        store=not (isinstance(target, JobTargetOptions) and target.no_store),
        compression_level=target.compression_level if isinstance(target, JobTargetOptions) else None,
        tls=connection.tls(),
        retry=connection.retry(),
    )
