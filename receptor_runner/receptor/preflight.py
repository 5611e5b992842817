"""Before anything is uploaded: does the node exist, and does it offer what is wanted?"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from receptor_runner.errors import NodeUnavailable, Rejected, Unreachable
from receptor_runner.receptor.control import Control
from receptor_runner.receptor.retry import RetryPolicy

PREFERRED_WORK_TYPES = ("receptor-runner", "ansible-runner")
"""Which work type is taken unless one is named; a worker of either kind understands the stream."""

_FIELDS = ("NodeID", "Advertisements", "RoutingTable", "KnownConnectionCosts")
_TLS_STREAM = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a job goes.

    Attributes:
        node: the node's id.
        is_local: whether that is the node that was asked.
        work_type: the work-command there.
        wants_signature: whether it advertises that it verifies signatures.
        wants_tls: whether its control service is behind TLS.
    """

    node: str
    is_local: bool
    work_type: str
    wants_signature: bool = False
    wants_tls: bool = False


def find_route(control: Control, node: str | None, work_type: str | None, retry: RetryPolicy) -> Route:
    """Return the route to a node and a work type that it advertises.

    A node that is known but has not yet advertised is waited for: adverts may lag by a minute.

    Args:
        control: the node that is asked.
        node: the wanted node; by default the asked one.
        work_type: the wanted work type; by default ours, else ansible-runner's.
        retry: how long to wait.

    Raises:
        NodeUnavailable: no such node is known.
        Rejected: it does not offer that work type.
        Unreachable: the asked node does not answer, or the wanted one does not advertise.
    """
    return retry.call(lambda: _route(control.status(*_FIELDS), node, work_type), "finding the node")


def _route(status: Mapping[str, Any], wanted: str | None, work_type: str | None) -> Route:
    own = str(status.get("NodeID", ""))
    node = own if wanted is None or wanted.lower() == "localhost" else wanted
    known = _known_nodes(status) | {own}
    if node not in known:
        raise NodeUnavailable(
            f"unknown node `{node}`", cause=f"the mesh knows: {_listed(known)}", hint=_nearest(node, known)
        )
    adverts = [advert for advert in status.get("Advertisements") or [] if advert.get("NodeID") == node]
    if not adverts:
        raise Unreachable(f"node `{node}` is known but has not advertised its work types yet")
    offered = {
        str(command.get("WorkType")): bool(command.get("Secure"))
        for advert in adverts
        for command in advert.get("WorkCommands") or []
    }
    chosen = _work_type(node, offered, work_type)
    return Route(
        node=node,
        is_local=node == own,
        work_type=chosen,
        wants_signature=offered[chosen],
        wants_tls=any(advert.get("ConnType") == _TLS_STREAM for advert in adverts),
    )


def _known_nodes(status: Mapping[str, Any]) -> set[str]:
    advertised = {str(advert.get("NodeID")) for advert in status.get("Advertisements") or []}
    return advertised | set(status.get("RoutingTable") or {}) | set(status.get("KnownConnectionCosts") or {})


def _work_type(node: str, offered: Mapping[str, bool], wanted: str | None) -> str:
    candidates = (wanted,) if wanted else PREFERRED_WORK_TYPES
    for candidate in candidates:
        if candidate in offered:
            return candidate
    name = wanted or PREFERRED_WORK_TYPES[0]
    raise Rejected(
        f"node `{node}` does not offer the work type `{name}`",
        cause=f"it offers: {_listed(offered)}",
        hint=_nearest(name, offered) or "add a work-command to the node's receptor.yml",
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _nearest(name: str, names: Iterable[str]) -> str | None:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean `{near[0]}`?" if near else None
