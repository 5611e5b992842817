"""The receptor.yml of each node of a mesh, rendered from the templates."""

from __future__ import annotations

from pathlib import PurePath

from receptor_runner.mesh.description import MeshDescription, MeshNode, is_ipv6
from receptor_runner.mesh.settings import Places, template_settings
from receptor_runner.receptor_config.render import render


def places_on_host(description: MeshDescription, node: MeshNode) -> Places:
    """Return where a node's files are on its own host, and how it reaches its peers from there."""
    return Places(
        directory=PurePath(description.prefix),
        datadir=description.datadir,
        socket=description.socket,
        program=f"{description.venv.rstrip('/')}/bin/receptor-runner",
        listen=_listen(node),
        peers=tuple(description.node(peer).endpoint for peer in node.peers),
    )


def _listen(node: MeshNode) -> str:
    if node.port is None:
        return ""
    # Go listens on IPv4 only where it is given 0.0.0.0, and on both for [::].
    return f"{'[::]' if is_ipv6(node.address) else '0.0.0.0'}:{node.port}"  # noqa: S104 -- its peers are elsewhere


def node_config(
    description: MeshDescription, node: MeshNode, places: Places, *, on_this_machine: bool = False
) -> str:
    """Return the text of a node's receptor.yml.

    Args:
        description: the mesh, without errors.
        node: one of its nodes.
        places: where its files are.
        on_this_machine: whether its host is this machine.

    Raises:
        ConfigError: the daemon would refuse the result.
        UsageError: the node has no link.
    """
    settings = template_settings(description, node, places)
    return render(node.role.value, settings, on_this_machine=on_this_machine)
