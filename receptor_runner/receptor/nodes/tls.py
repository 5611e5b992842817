"""Which TLS client the local node uses towards the target node: its receptor.yml says so, if it can be found."""

from __future__ import annotations

from pathlib import Path

from receptor_runner.errors import ConfigError, UsageError
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.nodes.local_config import find_config, read_config
from receptor_runner.receptor.nodes.preflight import Route


def find_tls_client(route: Route, control: Control, config: Path | None = None) -> str:
    """Return the name of the only TLS client in the local node's receptor.yml.

    The file is the one that was named, else the one that the node's own process was started with, where that process
    is on this machine and the file may be read.

    Args:
        route: where the job goes.
        control: the local node.
        config: its receptor.yml.

    Raises:
        ConfigError: the named file cannot be read, or is another node's.
        UsageError: there is no such file, or it names no TLS client, or several.

    Source: a submit names a TLS client of the local node, and the node does not list the ones it has.
    """
    path = config or find_config(control)
    if path is None:
        raise _missing(route, "the receptor.yml of the local node cannot be found")
    try:
        names = _tls_clients(path, route.local)
    except ConfigError as error:
        if config is not None:
            raise
        raise _missing(route, str(error)) from error
    if len(names) != 1:
        found = f"several: {', '.join(names)}" if names else "none"
        raise _missing(route, f"{path} has {found}", example=names[0] if names else "NAME")
    return names[0]


def _missing(route: Route, cause: str, example: str = "NAME") -> UsageError:
    return UsageError(
        f"node `{route.node}` requires TLS, and no TLS client was named",
        cause=cause,
        hint=f"--tls-client {example}, a tls-client of node `{route.local}`; or --config, its receptor.yml",
    )


def _tls_clients(path: Path, node_id: str) -> list[str]:
    blocks = read_config(path, node_id).all("tls-client")
    return [name for block in blocks if (name := block.text("name"))]
