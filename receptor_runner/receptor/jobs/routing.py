"""Which node and work type a unit goes to."""

from __future__ import annotations

from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.nodes.destination import Destination
from receptor_runner.receptor.nodes.mesh import PREFERRED_WORK_TYPES
from receptor_runner.receptor.nodes.preflight import Route, assume_route, find_route


def choose_route(control: Control, destination: Destination) -> Route:
    """Return the route to the target node, checked against what the mesh advertises unless preflight is off.

    Raises:
        NodeUnavailable: no such node is known, or it does not offer the work type, or the local node does not answer.
    """
    find = find_route if destination.preflight else assume_route
    return destination.ask(
        control, lambda: find(control, destination.node, destination.work_type), "finding the node"
    )


def has_store(route: Route) -> bool:
    """Return whether the worker at the end of a route may have kept files, on a node to which sending takes long."""
    return not route.is_local and route.work_type == PREFERRED_WORK_TYPES[0]
