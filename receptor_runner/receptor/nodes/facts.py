"""Asking workers about themselves: `--worker-info` as a unit on each node, side by side, nothing left behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import yaml

from receptor_runner.errors import NodeUnavailable, RunnerError
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.control.retry import RetryPolicy
from receptor_runner.receptor.control.unit import WorkOrder
from receptor_runner.receptor.jobs.command_unit import run_unit
from receptor_runner.receptor.jobs.follow_policy import FollowPolicy
from receptor_runner.receptor.jobs.work_order import work_order
from receptor_runner.receptor.nodes.destination import Destination
from receptor_runner.receptor.nodes.mesh import MESH_FIELDS, MeshNode, read_nodes
from receptor_runner.receptor.nodes.preflight import Route

_AT_ONCE = 16
_TTL_MARGIN_S = 5
"""How much later than ours the node's patience ends: it only counts if we are gone by then."""

_QUESTION = "--worker-info"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerWord:
    """What a worker says of itself, or why it says nothing.

    Attributes:
        facts: `cpu_count`, `mem_in_bytes`, `runner_version`, ... by name; empty if it did not answer.
        error: why it did not answer.
    """

    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    error: str | None = None


def list_nodes(control: Control, destination: Destination) -> list[MeshNode]:
    """Return the nodes of the mesh, the asked one first.

    Raises:
        NodeUnavailable: the asked node does not answer.
    """
    status = destination.retry.call(lambda: control.status(*MESH_FIELDS), "asking for the mesh")
    return list(read_nodes(status).values())


def ask_workers(
    control: Control, destination: Destination, nodes: Iterable[MeshNode], *, within_s: float
) -> dict[str, WorkerWord]:
    """Ask the worker of each node that offers one; return their words by node.

    A node that does not answer fails none of the others.

    Args:
        control: the node that is asked.
        destination: how others are reached from there; its TLS client is for those that want TLS.
        nodes: the nodes of the mesh.
        within_s: how long each may take.
    """
    asked = next(node.node for node in nodes if node.is_asked)
    routes = [
        Route(
            node=node.node,
            asked=asked,
            work_type=node.worker_type,
            wants_signature=node.work_types[node.worker_type],
            wants_tls=node.wants_tls,
        )
        for node in nodes
        if node.worker_type
    ]
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        words = pool.map(lambda route: _ask(control, destination, route, within_s), routes)
        return dict(zip((route.node for route in routes), words, strict=True))


def _ask(control: Control, destination: Destination, route: Route, within_s: float) -> WorkerWord:
    question = dataclasses.replace(
        destination,
        params=_QUESTION,
        ttl=f"{within_s + _TTL_MARGIN_S:g}s",
        tls_client=destination.tls_client if route.wants_tls else None,
    )
    try:
        answer = _run(control, work_order(question, route, control), within_s)
        return WorkerWord(facts=_read(answer))
    except RunnerError as error:
        return WorkerWord(error=str(error))


def _run(control: Control, order: WorkOrder, within_s: float) -> bytes:
    """Run a unit without input and return what it printed; it is gone afterwards."""
    policy = FollowPolicy(wait_timeout_s=within_s)
    output, status = run_unit(control, order, policy, RetryPolicy(deadline_s=within_s))
    if not output:
        raise NodeUnavailable("its worker said nothing", cause=f"{status.state}: {status.detail}")
    return output


def _read(answer: bytes) -> dict[str, Any]:
    """Read a worker's word: one YAML mapping, perhaps with lines of the node around it."""
    text = answer.decode(errors="replace")
    for candidate in (text, *text.splitlines()):
        try:
            facts = yaml.safe_load(candidate)
        except yaml.YAMLError:
            continue
        if isinstance(facts, dict) and "cpu_count" in facts:
            return facts
    raise NodeUnavailable("its worker does not answer in YAML", cause=text.strip()[-200:] or None)
