"""The nodes of a mesh, as the local node knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MESH_FIELDS = ("NodeID", "Advertisements", "RoutingTable", "KnownConnectionCosts")
"""The fields of a node's status that describe the mesh."""

PREFERRED_WORK_TYPES = ("receptor-runner", "ansible-runner")
"""The work types that are used unless one is named, the preferred one first; both workers understand the stream."""

CONTROL_SERVICE = "control"
"""The service through which other nodes submit work to a node."""

_TLS_STREAM = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshNode:
    """A node of the mesh.

    Attributes:
        node: its id.
        is_local: whether it is the local node.
        next_hop: the neighbor through which the local node reaches it; None for the local node, or without a route.
        is_advertised: whether its advertisement has arrived; that of a new node may take a minute.
        wants_tls: whether its control service is behind TLS.
        work_types: the names of its work-commands, and whether each wants signed work.
        last_seen: the time of its last advertisement, by its own clock (RFC 3339).
    """

    node: str
    is_local: bool = False
    next_hop: str | None = None
    is_advertised: bool = False
    wants_tls: bool = False
    work_types: Mapping[str, bool] = field(default_factory=dict)
    last_seen: str | None = None

    @property
    def is_reachable(self) -> bool:
        """Whether there is a route to it."""
        return self.is_local or self.next_hop is not None

    @property
    def worker_type(self) -> str | None:
        """The work type of a worker that takes jobs, if it offers one."""
        return next((name for name in PREFERRED_WORK_TYPES if name in self.work_types), None)


def read_nodes(status: Mapping[str, Any]) -> dict[str, MeshNode]:
    """Return the nodes of the mesh by id, the local node first, the others by name.

    Args:
        status: the reply of the control service's `status`, at least with MESH_FIELDS.
    """
    own = str(status.get("NodeID", ""))
    adverts: dict[str, list[dict[str, Any]]] = {}
    for advert in status.get("Advertisements") or []:
        adverts.setdefault(str(advert.get("NodeID")), []).append(advert)
    routes = status.get("RoutingTable") or {}
    known = {own, *adverts, *routes, *(status.get("KnownConnectionCosts") or {})}
    ordered = sorted(known, key=lambda name: (name != own, name))
    return {name: _read_node(name, own, routes.get(name), adverts.get(name, [])) for name in ordered}


def _read_node(name: str, own: str, next_hop: str | None, adverts: list[dict[str, Any]]) -> MeshNode:
    work_types = {
        str(command.get("WorkType")): bool(command.get("Secure"))
        for advert in adverts
        for command in advert.get("WorkCommands") or []
    }
    return MeshNode(
        node=name,
        is_local=name == own,
        next_hop=None if name == own else next_hop,
        is_advertised=bool(adverts),
        wants_tls=any(_is_control_behind_tls(advert) for advert in adverts),
        work_types=dict(sorted(work_types.items())),
        last_seen=max((str(advert["Time"]) for advert in adverts if advert.get("Time")), default=None),
    )


def _is_control_behind_tls(advert: Mapping[str, Any]) -> bool:
    return advert.get("Service") == CONTROL_SERVICE and advert.get("ConnType") == _TLS_STREAM
