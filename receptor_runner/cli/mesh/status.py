"""`receptor-runner mesh status`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from receptor_runner.cli import completions, messages, output, parameters
from receptor_runner.cli.commands import Command
from receptor_runner.cli.mesh.files import rendered_directory
from receptor_runner.cli.node_options import ConnectionOptions, SocketOptions, destination
from receptor_runner.cli.nodes import age_text, route_text, work_types_text
from receptor_runner.errors import ConfigError, NodeUnavailable, pasteable

if TYPE_CHECKING:
    from receptor_runner.mesh.status import CertificateState, Members, NodeState
    from receptor_runner.receptor.nodes.mesh import MeshNode

EPILOG = """\b
Examples:
  receptor-runner mesh status
  receptor-runner mesh status prod/out --json
  receptor-runner mesh status --socket /run/receptor/receptor.sock
\b
Exit codes: 78 if a certificate has ended or cannot be read,
69 if a node is out of reach, otherwise 0.
"""

_HEADER = ("node", "role", "certificate", "route", "last seen", "work types")


@click.command(cls=Command, epilog=EPILOG)
@click.argument(
    "path",
    default="mesh.yml",
    type=click.Path(path_type=Path),
    metavar="[PATH]",
    shell_complete=completions.files,
)
@rendered_directory("Where the mesh was rendered to. Default: `out` beside a mesh.yml.")
@parameters.takes("local", SocketOptions)
@parameters.takes("connection", ConnectionOptions)
@parameters.as_json
def status(
    path: Path,
    directory: Path | None,
    local: SocketOptions,
    connection: ConnectionOptions,
    json_output: bool,
) -> int:
    """Show when each certificate of a mesh ends, and how each node is reached.

    PATH is a mesh.yml (the default) or a directory that it was rendered to. Routes, advertisements and work types are
    those that the node behind --socket knows, so it is best run on a control node. Without a node on this machine only
    certificates are shown.
    """
    from receptor_runner.mesh.status import read_authority, read_members, read_states

    members = read_members(path, directory)
    seen = _ask(members, local, connection)
    states = read_states(members, seen or {})
    authority, now = read_authority(members), datetime.now(UTC)
    if json_output:
        output.data(_describe(members, states, authority, seen, now))
    else:
        output.table([[*_HEADER], *(_cells(state, now, is_known=seen is not None) for state in states)])
        if authority:
            output.line(f"authority: {_certificate_text(authority, now)}")
    for warning in _warnings(path, members, states, authority, seen, now):
        messages.note(f"warning: {warning}", logging.WARNING)
    return _exit_code(states, authority, now, is_known=seen is not None)


def _ask(
    members: Members, local: SocketOptions, connection: ConnectionOptions
) -> Mapping[str, MeshNode] | None:
    """Return the nodes that a control node knows; None if no node is on this machine."""
    from receptor_runner.receptor.nodes.locate import USUAL_SOCKETS, locate

    own = (Path(members.socket),) if members.socket else ()
    found = locate(local.socket, usual=(*own, *USUAL_SOCKETS))
    if found is None:
        messages.note("no control node on this machine: reach is unknown; name a socket with --socket")
        return None
    where = destination(connection, SocketOptions(socket=found.socket))
    return {node.node: node for node in where.nodes(where.control(found))}


def _cells(state: NodeState, now: datetime, *, is_known: bool) -> list[str]:
    seen = state.seen
    return [
        state.name,
        state.role.value if state.role else "?",
        _certificate_text(state.certificate, now) if state.certificate else "-",
        route_text(seen) if seen else "none" if is_known else "?",
        age_text(seen.last_seen) if seen else "never" if is_known else "?",
        work_types_text(seen) if seen else "?",
    ]


def _certificate_text(certificate: CertificateState, now: datetime) -> str:
    if certificate.not_after is None:
        return certificate.fault or "?"
    date = f"{certificate.not_after:%Y-%m-%d}"
    if certificate.has_ended(now):
        return f"ended {date}"
    days = certificate.days_left(now)
    return f"{date} ({days} day{'s' * (days != 1)})"


def _describe(
    members: Members,
    states: Sequence[NodeState],
    authority: CertificateState | None,
    seen: Mapping[str, MeshNode] | None,
    now: datetime,
) -> dict[str, Any]:
    return {
        "schema": 1,
        "directory": str(members.directory) if members.directory else None,
        "authority": _describe_certificate(authority, now),
        "nodes": [_describe_node(state, now, is_known=seen is not None) for state in states],
        "others": sorted(seen.keys() - members.roles.keys()) if seen is not None else None,
    }


def _describe_node(state: NodeState, now: datetime, *, is_known: bool) -> dict[str, Any]:
    seen = state.seen
    work_types = seen.work_types.items() if seen else ()
    return {
        "node": state.name,
        "role": state.role.value if state.role else None,
        "certificate": _describe_certificate(state.certificate, now),
        "reachable": state.is_reachable if is_known else None,
        "local": seen.is_local if seen else None,
        "next_hop": seen.next_hop if seen else None,
        "last_seen": seen.last_seen if seen else None,
        "work_types": [{"name": name, "signed": signed} for name, signed in work_types],
    }


def _describe_certificate(certificate: CertificateState | None, now: datetime) -> dict[str, Any] | None:
    if certificate is None:
        return None
    return {
        "path": str(certificate.path),
        "not_after": certificate.not_after.isoformat() if certificate.not_after else None,
        "days_left": certificate.days_left(now),
        "ended": certificate.has_ended(now),
        "error": certificate.fault,
    }


def _warnings(
    path: Path,
    members: Members,
    states: Sequence[NodeState],
    authority: CertificateState | None,
    seen: Mapping[str, MeshNode] | None,
    now: datetime,
) -> Iterator[str]:
    named = [("the authority", authority), *((f"node {state.name}", state.certificate) for state in states)]
    soon = [name for name, certificate in named if certificate and certificate.ends_soon(now)]
    over = [name for name, certificate in named if certificate and _is_useless(certificate, now)]
    render = _render(path, members.directory)
    if over:
        yield f"no valid certificate: {', '.join(over)}; `{render}`, then install the files"
    if soon:
        yield f"certificates end within 30 days: {', '.join(soon)}; `{render} --renew 30`"
    if seen is None:
        return
    if away := [state.name for state in states if not state.is_reachable]:
        yield f"out of reach: {', '.join(away)}"
    if others := sorted(seen.keys() - members.roles.keys()):
        yield f"in the mesh, but not described: {', '.join(others)}"


def _render(path: Path, directory: Path | None) -> str:
    """Return the command that renders the same mesh to the same directory."""
    from receptor_runner.mesh.bundle import default_directory

    file = Path("mesh.yml") if path.is_dir() else path
    words: list[object] = [] if file == Path("mesh.yml") else [file]
    words += ["-o", directory] if directory and directory != default_directory(file) else []
    return pasteable("receptor-runner", "mesh", "render", *words)


def _is_useless(certificate: CertificateState, now: datetime) -> bool:
    return certificate.fault is not None or certificate.has_ended(now)


def _exit_code(
    states: Sequence[NodeState], authority: CertificateState | None, now: datetime, *, is_known: bool
) -> int:
    certificates = [authority, *(state.certificate for state in states)]
    if any(certificate and _is_useless(certificate, now) for certificate in certificates):
        return ConfigError.exit_code
    if is_known and not all(state.is_reachable for state in states):
        return NodeUnavailable.exit_code
    return 0
