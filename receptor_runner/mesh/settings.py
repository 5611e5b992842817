"""What a node of a mesh has in its receptor.yml: the one place where a description becomes template settings.

A node's files are the same wherever it runs; only their places and the addresses of its links differ: on its own host
those of the description, in a mesh on one machine loopback addresses and paths below one directory.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from receptor_runner.mesh.description import MeshDescription, MeshNode, Role
from receptor_runner.receptor_config.template_settings import WORK_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from receptor_runner.mesh.description import ExecutionEnvironment

AUTHORITY_CERTIFICATE = "ca.crt"
CERTIFICATE = "node.crt"
KEY = "node.key"
SIGNING_KEY = "signing.pem"
VERIFYING_KEY = "verify.pem"
CONFIG = "receptor.yml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a node keeps its files on the machine it runs on, and how its links are reached from there.

    Args:
        directory: what is to be installed: receptor.yml, certificates and keys, under the names of this module.
        datadir: where its units are.
        socket: its control socket.
        program: the program that runs jobs; the name `receptor-runner` alone means this installation in a file that
            is rendered for this machine.
        listen: `host:port` to listen on; "" if no node connects to it.
        peers: `host:port` of each node that it connects to.
    """

    directory: PurePath
    datadir: str
    socket: str
    program: str
    listen: str
    peers: tuple[str, ...]


def template_settings(description: MeshDescription, node: MeshNode, places: Places) -> dict[str, str]:
    """Return the settings of a node for `receptor_config.render`; the template's name is the node's role.

    Args:
        description: the mesh.
        node: one of its nodes.
        places: where its files are and how its links are reached.
    """
    return {
        "id": node.name,
        "datadir": places.datadir,
        "socket": places.socket,
        "listen": places.listen,
        "peers": ",".join(places.peers),
        "allowed_peers": ",".join(description.neighbors(node.name)),
        **(_tls(places) if description.tls else {}),
        **_role(description, node, places),
    }


def worker_params(environment: ExecutionEnvironment | None) -> str:
    """Return the parameters of the worker's work-command.

    Args:
        environment: the container for jobs that choose no isolation; None for none.
    """
    if environment is None:
        return "worker"
    words = ["--container-image", environment.image, "--process-isolation-executable", environment.engine]
    return f"worker {shlex.join(words)}"


def _tls(places: Places) -> dict[str, str]:
    return {
        "tls": "true",
        "tls_cert": str(places.directory / CERTIFICATE),
        "tls_key": str(places.directory / KEY),
        "tls_ca": str(places.directory / AUTHORITY_CERTIFICATE),
    }


def _role(description: MeshDescription, node: MeshNode, places: Places) -> Mapping[str, str]:
    if node.role is Role.CONTROL:
        return {"signing_key": str(places.directory / SIGNING_KEY)} if description.signed else {}
    if node.role is Role.HOP:
        return {}
    settings = {
        "worktype": description.work_type,
        "command": places.program,
        "params": worker_params(node.execution_environment),
        "accept_from": ",".join(control.name for control in description.with_role(Role.CONTROL)),
        **{f"{WORK_PREFIX}{name}": command for name, command in node.work_types.items()},
    }
    if description.signed:
        settings["verify_key"] = str(places.directory / VERIFYING_KEY)
    return settings
