"""The mesh.yml that people start from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from receptor_runner.mesh.reading import read_mesh

if TYPE_CHECKING:
    from receptor_runner.mesh.description import MeshDescription

_HEAD = """\
# A Receptor mesh. Check this file with `receptor-runner mesh check`, and write the files of every node
# with `receptor-runner mesh render`.
name: my mesh

# Mutual TLS on links and control services, and signed work. Both are on unless they are turned off here.
# tls: true
# signed: true

# Where things are on every host.
# prefix: /etc/receptor                    # receptor.yml, certificates and keys
# venv: /opt/receptor-runner               # the virtual environment with receptor-runner
# datadir: /var/lib/receptor               # the units of jobs; must survive a reboot
# socket: /run/receptor/receptor.sock      # the control socket

# The work type under which workers run receptor-runner.
# work_type: receptor-runner

# The container that jobs run in on all workers, unless a job or a worker says otherwise.
# execution_environment:
#   image: ghcr.io/ansible-community/community-ee-minimal:latest
#   engine: podman

# The nodes, by node id. `role` is control, hop or worker:
#   control  jobs are submitted there
#   hop      forwards traffic between networks
#   worker   runs jobs
# `peers` are the nodes that a node connects to; the other end listens on `port`, 27199 by default.
# `address` is the host name or IP address of its host; by default the node id.
nodes:
"""

_WORKER_COMMENT = """\
    # Additional work types: programs on the worker's host.
    # work_types:
    #   uptime: /usr/bin/uptime
    # execution_environment: {image: registry.example.com/network-ee, engine: podman}
"""


def sample_text(*, workers: int = 1, hops: int = 0) -> str:
    """Return the text of a mesh.yml with comments.

    Args:
        workers: how many workers it describes, at least 1.
        hops: how many hops stand between them and the control node; workers are spread over them evenly.
    """
    hop_names, worker_names = _numbered("hop", hops), _numbered("worker", workers)
    parts = [_HEAD, _node("control", "control", "# peers: []  # it waits for the others to connect")]
    parts += [_node(name, "hop", "peers: [control]") for name in hop_names]
    for position, name in enumerate(worker_names):
        peer = hop_names[position % hops] if hops else "control"
        parts.append(_node(name, "worker", f"peers: [{peer}]"))
        if position == 0:
            parts.append(_WORKER_COMMENT)
    return "".join(parts)


def sample_mesh(*, workers: int = 1, hops: int = 0, tls: bool = True, signed: bool = True) -> MeshDescription:
    """Return the mesh of `sample_text`, for trying things out.

    Args:
        workers: how many workers, at least 1.
        hops: how many hops stand between them and the control node.
        tls: whether links and control services use mutual TLS.
        signed: whether workers accept only signed work.
    """
    described = read_mesh(sample_text(workers=workers, hops=hops)).description
    assert described is not None
    return replace(described, tls=tls, signed=signed)


def _numbered(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}{number}" for number in range(1, count + 1)]


def _node(name: str, role: str, peers: str) -> str:
    return f"  {name}:\n    role: {role}\n    address: {name}.example.com\n    {peers}\n"
