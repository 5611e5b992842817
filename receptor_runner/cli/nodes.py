"""`receptor-runner nodes`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from receptor_runner.cli import messages, output, parameters
from receptor_runner.cli.commands import Command
from receptor_runner.cli.node_options import ConnectionOptions, SocketOptions, TlsOptions, destination

if TYPE_CHECKING:
    from receptor_runner.receptor.jobs.facts import WorkerReport
    from receptor_runner.receptor.nodes.mesh import MeshNode

EPILOG = """\b
Examples:
  receptor-runner nodes --socket /run/receptor/receptor.sock
  receptor-runner nodes --info --json
"""

_HEADER = ("node", "route", "last seen", "tls", "work types")
_HEADER_OF_INFO = ("cpus", "memory", "versions")
_VERSIONS = {"receptor_runner_version": "receptor-runner", "ansible_core_version": "ansible-core"}


@click.command(cls=Command, epilog=EPILOG)
@parameters.takes("local", SocketOptions)
@click.option("--info", is_flag=True, help="Also show the machine and the versions of each node's worker.")
@parameters.timeout(20.0, "How long to wait for each worker.")
@parameters.takes("tls", TlsOptions)
@parameters.takes("connection", ConnectionOptions)
@parameters.as_json
def nodes(
    local: SocketOptions,
    info: bool,
    timeout: float,
    tls: TlsOptions,
    connection: ConnectionOptions,
    json_output: bool,
) -> None:
    """List the nodes of the mesh: how each is reached, when it was last seen, and which work types it offers.

    A work type that requires signed work is marked `(signed)`. `last seen` is when the node last advertised what it
    offers, by its own clock. Nodes do so once a minute, so little is known yet of a node that has just joined.
    """
    from receptor_runner.receptor.jobs.facts import read_reports

    where = destination(connection, local, tls)
    with where.local_node() as node:
        control = where.control(node)
        found = where.nodes(control)
        reports = read_reports(control, where, found, within_s=timeout) if info else None
    if json_output:
        output.data({"schema": 1, "nodes": [_describe(node, reports) for node in found]})
    else:
        _print(found, reports)


def _describe(node: MeshNode, reports: Mapping[str, WorkerReport] | None) -> dict[str, Any]:
    """Return a node as programs read it."""
    described = {
        "node": node.node,
        "local": node.is_local,
        "reachable": node.is_reachable,
        "next_hop": node.next_hop,
        "last_seen": node.last_seen,
        "tls": node.wants_tls if node.is_advertised else None,
        "work_types": [{"name": name, "signed": signed} for name, signed in node.work_types.items()],
    }
    if reports is not None:
        report = reports.get(node.node)
        described["info"] = dict(report.facts) if report and report.facts else None
        described["error"] = report.error if report else None
    return described


def _print(found: list[MeshNode], reports: Mapping[str, WorkerReport] | None) -> None:
    rows = [[*_HEADER, *(_HEADER_OF_INFO if reports is not None else ())]]
    rows += [
        [*_cells(node), *(_info_cells(reports.get(node.node)) if reports is not None else ())]
        for node in found
    ]
    output.table(rows)
    for name, report in sorted((reports or {}).items()):
        if report.error:
            messages.note(f"warning: node {name}: {report.error}")


def _cells(node: MeshNode) -> list[str]:
    return [
        node.node,
        route_text(node),
        age_text(node.last_seen),
        ("yes" if node.wants_tls else "no") if node.is_advertised else "?",
        work_types_text(node),
    ]


def work_types_text(node: MeshNode) -> str:
    """Return the work types that a node offers."""
    types = [f"{name} (signed)" if signed else name for name, signed in node.work_types.items()]
    return ", ".join(types) or ("-" if node.is_advertised else "?")


def route_text(node: MeshNode) -> str:
    """Return how a node is reached."""
    if node.is_local:
        return "local"
    if node.next_hop is None:
        return "none"
    return "direct" if node.next_hop == node.node else f"via {node.next_hop}"


def age_text(moment: str | None) -> str:
    """Return how long ago a moment was; a text that is not a moment as it is."""
    if moment is None:
        return "never"
    try:
        seen = datetime.fromisoformat(moment)
        seconds = (datetime.now(UTC) - seen).total_seconds()
    except (ValueError, TypeError):
        return moment
    return f"{max(seconds, 0):.0f} s ago"


def _info_cells(report: WorkerReport | None) -> list[str]:
    facts = report.facts if report else {}
    if not facts:
        return ["no answer" if report else "-", "-", "-"]
    memory = facts.get("mem_in_bytes")
    versions = [f"{label} {facts[key]}" for key, label in _VERSIONS.items() if facts.get(key)]
    if "receptor_runner_version" not in facts and "runner_version" in facts:
        # Our own worker reports the ansible-runner whose streams it reads, since callers require the key.
        versions.insert(0, f"ansible-runner {facts['runner_version']}")
    return [
        str(facts.get("cpu_count", "?")),
        f"{memory / 2**30:.1f} GiB" if isinstance(memory, int) else "?",
        ", ".join(versions) or "?",
    ]
