"""Reads the nodes of a mesh.yml."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from receptor_runner.mesh.description import (
    DEFAULT_ENGINE,
    DEFAULT_PORT,
    ExecutionEnvironment,
    MeshNode,
    Role,
)
from receptor_runner.mesh.entries import Entries
from receptor_runner.receptor_config.document import Scalar, Table
from receptor_runner.receptor_config.values import closest

if TYPE_CHECKING:
    from receptor_runner.receptor_config.document import Entry

BAD_ROLE = "role"
"""The code of findings about roles that are missing, unknown or several."""

NODE_KEYS = ("role", "address", "port", "peers", "work_types", "execution_environment")
_ROLES = tuple(role.value for role in Role)
_ROLES_HINT = f"a node has one role: {', '.join(_ROLES[:-1])} or {_ROLES[-1]}"


def read_nodes(mesh: Entries) -> tuple[MeshNode, ...]:
    """Return the nodes of a mesh.yml; whatever is wrong with them becomes a finding.

    Args:
        mesh: the map at the top of the file.
    """
    default = _read_environment(mesh)
    held = mesh.table("nodes", "nodes")
    if held is None:
        if mesh.get("nodes") is None:
            mesh.report("no-nodes", mesh.line, "no nodes: add the key nodes", "receptor-runner mesh init")
        return ()
    nodes = [node for entry in held if (node := _read_node(entry, held, default))]
    called = {name for node in nodes for name in node.peers}
    # A node listens where others connect to it, even if mesh.yml leaves the port to us.
    return tuple(
        replace(node, port=DEFAULT_PORT) if node.port is None and node.name in called else node
        for node in nodes
    )


def _read_node(entry: Entry, held: Entries, default: ExecutionEnvironment | None) -> MeshNode | None:
    if not isinstance(entry.value, Table):
        hint = f"write `{entry.written}: {{role: worker, peers: [...]}}`"
        held.report("bad-value", entry.line, f"node `{entry.written}` needs a map with its role", hint)
        return None
    own = Entries(entry.value, f"node `{entry.written}`", held.findings)
    own.refuse_unknown(NODE_KEYS)
    role = _read_role(own, entry.line)
    peers, work_types = own.names("peers"), own.table("work_types", f"work_types of {own.owner}")
    inherited = default if role is Role.WORKER and not own.has("execution_environment") else None
    return MeshNode(
        name=entry.written,
        role=role,
        address=own.text("address") or entry.written,
        port=own.port("port"),
        peers=tuple(peers),
        work_types=_command_lines(work_types) if work_types else {},
        execution_environment=_read_environment(own) or inherited,
        line=entry.line,
        lines=own.lines() | _below("peers", peers) | _below("work_types", work_types),
    )


def _below(key: str, held: dict[str, int] | Entries | None) -> dict[str, int]:
    lines = held.lines() if isinstance(held, Entries) else held or {}
    return {f"{key}/{name}": line for name, line in lines.items()}


def _read_role(own: Entries, line: int) -> Role:
    """Return the role, or after a mistake the one that was probably meant, so that reading can go on."""
    entry = own.get("role")
    if entry is None:
        own.report(BAD_ROLE, line, f"{own.owner} has no role", _ROLES_HINT)
    elif not isinstance(entry.value, Scalar):
        own.report(BAD_ROLE, entry.line, f"{own.owner} has several roles", _ROLES_HINT)
    elif entry.value.text not in _ROLES:
        guess = closest(entry.value.text, _ROLES)
        hint = f"did you mean {guess}?" if guess else _ROLES_HINT
        own.report(BAD_ROLE, entry.line, f"{own.owner} has the unknown role `{entry.value.text}`", hint)
        return Role(guess) if guess else Role.HOP
    else:
        return Role(entry.value.text)
    return Role.HOP


def _command_lines(work_types: Entries) -> dict[str, str]:
    texts = {entry.written: work_types.text_of(entry.written, entry.value) for entry in work_types}
    return {name: text for name, text in texts.items() if text}


def _read_environment(owner: Entries) -> ExecutionEnvironment | None:
    own = owner.table("execution_environment", f"execution_environment of {owner.owner}")
    if own is None:
        return None
    own.refuse_unknown(("image", "engine"))
    image = own.text("image")
    if image is None:
        if own.get("image") is None:
            own.report("no-image", own.line, f"{own.owner} names no image")
        return None
    return ExecutionEnvironment(image=image, engine=own.text("engine") or DEFAULT_ENGINE)
