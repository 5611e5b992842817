"""The files of a mesh on this machine: the bundle that is rendered for hosts, with the places of this machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from receptor_runner.mesh.bundle import render_bundle
from receptor_runner.mesh.local.ports import LOOPBACK, free_ports
from receptor_runner.mesh.settings import Places
from receptor_runner.receptor_config.template_settings import WORKER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from receptor_runner.mesh.description import MeshDescription, MeshNode
    from receptor_runner.mesh.local.daemon import Daemon


def write_files(description: MeshDescription, directory: Path, daemons: Sequence[Daemon]) -> None:
    """Write what the daemons need: configs, certificates, keys.

    Args:
        description: the mesh.
        directory: where the files go, below a directory for each node.
        daemons: one for each node, in the same order.

    Raises:
        ConfigError: the daemon would refuse a config.
        OutputFailed: the directory cannot be written.
    """
    mesh = _on_loopback(description)
    places = {
        node.name: _places(mesh, node, daemon) for node, daemon in zip(mesh.nodes, daemons, strict=True)
    }
    render_bundle(mesh, directory, places=lambda node: places[node.name])


def _on_loopback(description: MeshDescription) -> MeshDescription:
    """Return the mesh with addresses and ports of this machine, which the links and the certificates then have."""
    ports = iter(free_ports(len(description.nodes)))
    nodes = (
        replace(node, address=LOOPBACK, port=next(ports) if description.connecting_to(node.name) else None)
        for node in description.nodes
    )
    return replace(description, nodes=tuple(nodes))


def _places(mesh: MeshDescription, node: MeshNode, daemon: Daemon) -> Places:
    return Places(
        directory=daemon.config.parent,
        datadir=str(daemon.datadir),
        socket=daemon.socket_in_config,
        program=WORKER,
        listen=node.endpoint if node.port else "",
        peers=tuple(mesh.node(peer).endpoint for peer in node.peers),
    )
