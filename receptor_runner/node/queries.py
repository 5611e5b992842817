"""The commands that change nothing: status, ping, traceroute, connect."""

from __future__ import annotations

import datetime
import os
import sys
import time
from functools import cache
from typing import TYPE_CHECKING

from receptor_runner._version import __version__
from receptor_runner.node.refusal import Refused
from receptor_runner.node.replies import Ordered, format_duration
from receptor_runner.system.packages import installed_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from receptor_runner.node.requests import Request
    from receptor_runner.node.settings import ControlService, NodeSettings
    from receptor_runner.node.state import NodeState

_ADVERT_PERIOD_NS = 60 * 1_000_000_000
_STREAM = 1
_NO_ROUTE = "no route to node"


def show_status(node: NodeState, request: Request) -> dict[str, object]:
    """Describe the node; a JSON request may select fields.

    Raises:
        Refused: parameters that status does not take.
    """
    if request.text:
        raise Refused("status command does not take parameters")
    getters = _status_getters(node)
    return {name: getters[name]() for name in _requested_fields(request, getters) if name in getters}


def _requested_fields(request: Request, getters: dict[str, Callable[[], object]]) -> list[str]:
    wanted = (request.fields or {}).get("requested_fields", list(getters))
    if not isinstance(wanted, list):
        raise Refused("requested_fields must be a list")
    for name in wanted:
        if not isinstance(name, str):
            raise Refused("each element of requested_fields must be a string")
    return wanted


def _status_getters(node: NodeState) -> dict[str, Callable[[], object]]:
    return {
        "Advertisements": lambda: [_advertise(node, service) for service in node.settings.control_services],
        "Connections": list,
        "KnownConnectionCosts": dict,
        "NodeID": lambda: node.settings.node_id,
        "RoutingTable": dict,
        "SystemCPUCount": lambda: len(os.sched_getaffinity(0)),
        "SystemMemoryMiB": _measure_memory_mib,
        "Version": find_version,
    }


def _advertise(node: NodeState, service: ControlService) -> Ordered:
    return Ordered(
        NodeID=node.settings.node_id,
        Service=service.service,
        Time=_format_time(_last_advert_ns(node.started_ns)),
        ConnType=_STREAM,
        Tags={"type": "Control Service"},
        WorkCommands=_list_work_commands(node.settings),
    )


def _list_work_commands(settings: NodeSettings) -> list[object] | None:
    listed: list[object] = [
        Ordered(WorkType=command.work_type, Secure=False) for command in settings.work_commands
    ]
    return listed or None


def _last_advert_ns(started_ns: int) -> int:
    now = time.time_ns()
    return now - (now - started_ns) % _ADVERT_PERIOD_NS


def _format_time(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    moment = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
    fraction = f".{rest:09d}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _measure_memory_mib() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1024 * 1024)


@cache
def find_version() -> str:
    """Return the installed receptorctl's version, so that it sees no difference to its own."""
    import site

    if sys.flags.no_site:
        site.main()  # a job's node starts without it, and then does not see what is installed
    return installed_version("receptorctl") or __version__


def ping(node: NodeState, request: Request) -> dict[str, object]:
    """Answer for the node itself; every other node has no route.

    Raises:
        Refused: no target.
    """
    target = _read_target(request, "ping")
    started = time.perf_counter_ns()
    if not _is_self(node, target):
        return {"Success": False, "Error": _NO_ROUTE}
    return {"Success": True, **_hop(node, started)}


def trace_route(node: NodeState, request: Request) -> dict[str, object]:
    """Show the way to a node: one hop, and for a node that is not here a second one that fails.

    Raises:
        Refused: no target.
    """
    target = _read_target(request, "traceroute")
    started = time.perf_counter_ns()
    hops: dict[str, object] = {"0": _hop(node, started)}
    if not _is_self(node, target):
        hops["1"] = {**_hop(node, started), "Error": _NO_ROUTE}
    return hops


def _hop(node: NodeState, started: int) -> dict[str, object]:
    elapsed = time.perf_counter_ns() - started
    return {"From": node.settings.node_id, "Time": elapsed, "TimeStr": format_duration(elapsed)}


def _read_target(request: Request, command: str) -> str:
    target = request.text if request.fields is None else request.fields.get("target", "")
    if not isinstance(target, str):
        raise Refused(f"{command} target must be string")
    if not target and "target" not in (request.fields or {}):
        raise Refused(f"no {command} target")
    return target


def _is_self(node: NodeState, target: str) -> bool:
    return target == node.settings.node_id or target.lower() == "localhost"


def read_connect_target(node: NodeState, request: Request) -> None:
    """Check that a connect leads to a control service of this node.

    Raises:
        Refused: it does not, in the daemon's words.
    """
    target, service, tls = _read_connect(request)
    if tls:
        raise Refused(f"unknown TLS config {tls}")
    if not _is_self(node, target):
        raise Refused(f"INTERNAL_ERROR (local): {_NO_ROUTE}")
    if service not in {control.service for control in node.settings.control_services}:
        raise Refused("INTERNAL_ERROR (local): service unknown")


def _read_connect(request: Request) -> tuple[str, str, str]:
    if request.fields is not None:
        node, service, tls = (
            _read_connect_field(request.fields, name) for name in ("node", "service", "tls")
        )
        return node, service, tls
    tokens = request.text.split(" ")
    if len(tokens) < 2:
        raise Refused("no connect target")
    if len(tokens) > 3:
        raise Refused("too many parameters")
    target, service, tls = (*tokens, "")[:3]
    return target, service, tls


def _read_connect_field(fields: dict[str, object], name: str) -> str:
    wording = {"node": "target node", "service": "target service", "tls": "tls name"}[name]
    if name not in fields and name != "tls":
        raise Refused(f"no connect {wording}")
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise Refused(f"connect {wording} must be string")
    return value
