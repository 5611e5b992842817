"""The facts of workers: `--worker-info` runs as a unit on every node at once, and each unit is removed."""

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
from receptor_runner.receptor.nodes.mesh import MeshNode
from receptor_runner.receptor.nodes.preflight import Route, route_to

_AT_ONCE = 16
_TTL_MARGIN_S = 5
"""How much longer than we wait a node may take to start the unit; it counts only if this process dies meanwhile."""

_PARAMS = "--worker-info"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReport:
    """What a worker reports about its machine, or why there is no report.

    Attributes:
        facts: `cpu_count`, `mem_in_bytes`, `runner_version`, ... by name; empty without a report.
        error: why there is no report.
    """

    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    error: str | None = None


def read_reports(
    control: Control, destination: Destination, nodes: Iterable[MeshNode], *, within_s: float
) -> dict[str, WorkerReport]:
    """Return the reports of all workers by node; one that does not answer does not affect the others.

    Args:
        control: the local node.
        destination: how the others are reached; its TLS client is used for those that require TLS.
        nodes: the nodes of the mesh.
        within_s: how long each may take.
    """
    local = next(node.node for node in nodes if node.is_local)
    routes = [route_to(node, local, node.worker_type) for node in nodes if node.worker_type]
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        reports = pool.map(lambda route: _report(control, destination, route, within_s), routes)
        return dict(zip((route.node for route in routes), reports, strict=True))


def _report(control: Control, destination: Destination, route: Route, within_s: float) -> WorkerReport:
    try:
        return WorkerReport(facts=read_facts(control, destination, route, within_s=within_s))
    except RunnerError as error:
        return WorkerReport(error=str(error))


def read_facts(
    control: Control, destination: Destination, route: Route, *, within_s: float
) -> Mapping[str, Any]:
    """Return what the worker of one node reports; the unit that asks it is removed.

    Args:
        control: the local node.
        destination: how the node is reached; its TLS client is used if the node requires TLS.
        route: the node and the work type of the worker.
        within_s: how long it may take.

    Raises:
        NodeUnavailable: the node refuses, or gives no report in time.
        NeverStarted: nothing of the unit ran.
        ContactLost: it may have run, but its end cannot be learned.
    """
    request = dataclasses.replace(
        destination,
        params=_PARAMS,
        ttl=f"{within_s + _TTL_MARGIN_S:g}s",
        tls_client=destination.tls_client if route.wants_tls else None,
    )
    return _read(_run(control, work_order(request, route, control), within_s))


def _run(control: Control, order: WorkOrder, within_s: float) -> bytes:
    """Run a unit without input and return its output; the unit is removed."""
    policy = FollowPolicy(wait_timeout_s=within_s)
    output, status = run_unit(control, order, policy, RetryPolicy(deadline_s=within_s))
    if not output:
        raise NodeUnavailable("the worker printed nothing", cause=f"{status.state}: {status.detail}")
    return output


def _read(output: bytes) -> dict[str, Any]:
    """Return the one YAML mapping in the output; the node may have added lines of its own."""
    text = output.decode(errors="replace")
    for candidate in (text, *text.splitlines()):
        try:
            facts = yaml.safe_load(candidate)
        except yaml.YAMLError:
            continue
        if isinstance(facts, dict) and "cpu_count" in facts:
            return facts
    raise NodeUnavailable("the worker's report is not YAML", cause=text.strip()[-200:] or None)
