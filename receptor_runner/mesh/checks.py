"""Checks of a mesh description: what could not be rendered, installed or reached; each finding has its line."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from receptor_runner.mesh.addresses import address_fault, is_loopback, node_id_fault
from receptor_runner.mesh.description import MeshDescription, MeshNode, Role
from receptor_runner.receptor_config.checks.node import is_temporary
from receptor_runner.receptor_config.checks.work import split_fault
from receptor_runner.receptor_config.findings import Finding, error, warning
from receptor_runner.receptor_config.values import closest
from receptor_runner.system.sockets import MAX_ADDRESS_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ENGINES = ("podman", "docker")
_PLACES = ("prefix", "venv", "datadir", "socket")
_RESERVED_WORK_TYPE = "remote"


def check_description(description: MeshDescription, *, roles_known: bool = True) -> Iterator[Finding]:
    """Yield findings about a mesh.

    Args:
        description: the mesh.
        roles_known: whether the roles are those of the file; if not, nothing is said about what depends on them.
    """
    yield from _check_places(description)
    for node in description.nodes:
        yield from _check_id(node)
        yield from _check_address(node)
        yield from _check_peers(description, node)
        yield from _check_work_types(description, node, roles_known=roles_known)
        yield from _check_environment(description, node, roles_known=roles_known)
    yield from _check_ids_apart(description)
    yield from _check_hosts(description)
    if roles_known and description.nodes:
        yield from _check_roles(description)


def _check_places(description: MeshDescription) -> Iterator[Finding]:
    for name in _PLACES:
        path, line = str(getattr(description, name)), description.line_of(name)
        if not path.startswith("/"):
            message = f"{name}: {path} is not an absolute path"
            yield error("relative-path", line, message, "it is a path on every host of the mesh")
        elif ".." in PurePosixPath(path).parts or not re.fullmatch(r"[\w./@+-]+", path, re.ASCII):
            message = f"{name}: {path} has spaces, `..` or characters that are special to systemd or a shell"
            yield error("odd-path", line, message)
    if is_temporary(description.datadir):
        message = f"datadir: {description.datadir} is a temporary directory, where cleanup jobs delete units"
        yield warning("datadir-tmp", description.line_of("datadir"), message)
    if len(description.socket.encode()) > MAX_ADDRESS_BYTES:
        message = f"the path of a unix socket has at most {MAX_ADDRESS_BYTES} bytes"
        yield error("socket-path", description.line_of("socket"), message)
    if description.work_type == _RESERVED_WORK_TYPE:
        yield error("work-type-reserved", description.line_of("work_type"), _reserved())


def _reserved() -> str:
    return f"the work type `{_RESERVED_WORK_TYPE}` is the daemon's own"


def _check_id(node: MeshNode) -> Iterator[Finding]:
    if fault := node_id_fault(node.name):
        yield error("node-id", node.line, f"`{node.name}` cannot be a node id: {fault}")


def _check_ids_apart(description: MeshDescription) -> Iterator[Finding]:
    """Yield findings about ids that differ only in case: people and some file systems confuse them."""
    seen: dict[str, MeshNode] = {}
    for node in description.nodes:
        first = seen.setdefault(node.name.lower(), node)
        if first is not node:
            message = f"nodes `{first.name}` (line {first.line}) and `{node.name}` differ only in case"
            yield error("node-id", node.line, message, "rename one of them")


def _check_address(node: MeshNode) -> Iterator[Finding]:
    fault = address_fault(node.address)
    if fault and node.address == node.name:
        message = f"node `{node.name}` has no address, and its name cannot be one: {fault}"
        hint = f"add `address:` to node `{node.name}`"
        yield error("address", node.line_of("address"), message, hint)
    elif fault:
        message = f"no certificate can carry the address `{node.address}` of node `{node.name}`: {fault}"
        yield error("address", node.line_of("address"), message)
    elif node.port is not None and is_loopback(node.address):
        message = f"only nodes on the same machine can connect to `{node.address}`"
        yield warning("loopback", node.line_of("address"), message)


def _check_peers(description: MeshDescription, node: MeshNode) -> Iterator[Finding]:
    names = [known.name for known in description.nodes]
    for peer in node.peers:
        line = node.line_of(f"peers/{peer}")
        if peer == node.name:
            yield error("self-peer", line, f"node `{peer}` is its own peer", "remove it")
        elif peer not in names:
            guess = closest(peer, names)
            hint = f"did you mean {guess}?" if guess else f"the nodes are {', '.join(names)}"
            yield error("unknown-node", line, f"node `{node.name}` has the unknown peer `{peer}`", hint)
        elif node.name in description.node(peer).peers and names.index(peer) < names.index(node.name):
            message = f"nodes `{peer}` and `{node.name}` connect to each other; one connection is enough"
            yield warning(
                "double-link", line, message, "leave the peer to the node that may open connections"
            )


def _check_work_types(
    description: MeshDescription, node: MeshNode, *, roles_known: bool
) -> Iterator[Finding]:
    if node.work_types and node.role is not Role.WORKER and roles_known:
        message = f"node `{node.name}` is a {node.role.value} node and runs no work types"
        yield error("work-types", node.line_of("work_types"), message, "move them to a worker")
    for name, words in node.work_types.items():
        line = node.line_of(f"work_types/{name}")
        if name == description.work_type:
            yield error("work-type-taken", line, f"`{name}` is the work type of receptor-runner itself")
        elif name == _RESERVED_WORK_TYPE:
            yield error("work-type-reserved", line, _reserved(), "choose another name")
        elif not re.fullmatch(r"[^\s:=]+", name):
            yield error("work-type-name", line, f"`{name}` has spaces, `:` or `=`", "choose another name")
        if not words.startswith("/"):
            message = f"the command of work type `{name}` is not an absolute path: {words.split()[0]}"
            yield error("relative-path", line, message, "it is a program on the worker's host")
        elif fault := split_fault(words):
            yield error("params", line, f"the command of work type `{name}` {fault}")


def _check_environment(
    description: MeshDescription, node: MeshNode, *, roles_known: bool
) -> Iterator[Finding]:
    environment = node.execution_environment
    # A worker without one of its own has that of the mesh, whose faults are then the same finding for all workers.
    owner = node if "execution_environment" in node.lines else description
    line = owner.line_of("execution_environment")
    if environment is None:
        return
    if node.role is not Role.WORKER and roles_known:
        message = f"node `{node.name}` is a {node.role.value} node and runs no jobs in containers"
        yield error("execution-environment", line, message, "move it to a worker")
    engine = PurePosixPath(environment.engine)
    if engine.name not in ENGINES or (len(engine.parts) > 1 and not engine.is_absolute()):
        message = f"unknown container engine `{environment.engine}`"
        yield error("engine", line, message, f"use one of {', '.join(ENGINES)}, or its absolute path")
    if not re.fullmatch(r"[A-Za-z0-9][\w./:@+-]*", environment.image, re.ASCII):
        yield error("image", line, f"`{environment.image}` is not the name of an image")


def _check_hosts(description: MeshDescription) -> Iterator[Finding]:
    endpoints: dict[tuple[str, int], MeshNode] = {}
    hosts: dict[str, MeshNode] = {}
    for node in description.nodes:
        host = node.address.lower()
        first = endpoints.setdefault((host, node.port), node) if node.port else node
        if first is not node:
            line = node.line_of("port") if "port" in node.lines else node.line_of("address")
            message = f"nodes `{first.name}` and `{node.name}` both listen on {node.endpoint}"
            yield error("duplicate-address", line, message, "give them different ports")
        elif (other := hosts.setdefault(host, node)) is not node and not is_loopback(host):
            message = f"nodes `{other.name}` and `{node.name}` are both on {host}"
            hint = "`mesh install` sets up one node on each host; `mesh up` does not mind"
            yield warning("shared-host", node.line_of("address"), message, hint)


def _check_roles(description: MeshDescription) -> Iterator[Finding]:
    controls, workers = description.with_role(Role.CONTROL), description.with_role(Role.WORKER)
    line = description.line_of("nodes")
    if not workers:
        yield warning(
            "no-worker", line, "no node is a worker, so no job can run", "add one with `role: worker`"
        )
    if not controls:
        hint = "set `role: control` for the node that jobs are submitted to"
        yield error("no-control", line, "no node is a control node, so no job can be submitted", hint)
        return
    names = {node.name for node in description.nodes}
    if not all(names.issuperset(node.peers) for node in description.nodes):
        return  # unknown peers are reported; what they cut off would only repeat it
    within = {control.name: description.distances(control.name) for control in controls}
    links = description.links()
    for node in description.nodes:
        yield from _check_reach(node, within, is_alone=not links[node.name])


def _check_reach(
    node: MeshNode, within: Mapping[str, Mapping[str, int]], *, is_alone: bool
) -> Iterator[Finding]:
    titled = (
        f"{node.role.value} node `{node.name}`" if node.role is not Role.WORKER else f"worker `{node.name}`"
    )
    missing = [name for name, reached in within.items() if node.name not in reached]
    if is_alone:
        hint = "add `peers:` to it, or make it a peer of another node"
        yield error("no-link", node.line, f"{titled} has no link to another node", hint)
    elif len(missing) == len(within):
        report = error if node.role is Role.WORKER else warning
        hint = "link it, or a hop it is linked to, with a control node"
        yield report("unreachable", node.line, f"no control node has a path to {titled}", hint)
    elif missing:
        message = f"{titled} has no path to control node `{missing[0]}`"
        yield warning("split-mesh", node.line, message, "connect both halves of the mesh")
