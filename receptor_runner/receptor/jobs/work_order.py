"""The work order of a job: signed or not, through which TLS client, and how long it may wait for its start."""

from __future__ import annotations

import re

from receptor_runner.errors import Rejected, UsageError
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.control.unit import WorkOrder
from receptor_runner.receptor.nodes.destination import Destination
from receptor_runner.receptor.nodes.preflight import Route
from receptor_runner.receptor.nodes.tls import find_tls_client

DEFAULT_TTL = "10m"
"""How long a remote unit may wait for its start.

Source: without a ttl the daemon tries forever, and a refusal in the background is only logged.
"""

_DURATION = re.compile(r"((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+")
_LAG = "an advertisement may be a minute old: --no-preflight skips this check"


def work_order(destination: Destination, route: Route, control: Control) -> WorkOrder:
    """Return the work order; what was not chosen follows the target node's advertisement.

    Args:
        destination: what was chosen.
        route: where the job goes.
        control: the control service of the local node.

    Raises:
        Rejected: an explicit choice contradicts what the target node advertises.
        UsageError: the target node requires TLS and no TLS client was found; or the ttl is not a duration.
        ConfigError: the named receptor.yml cannot be used.
    """
    if route.is_local:
        return WorkOrder(work_type=route.work_type, params=destination.params)
    return WorkOrder(
        node=route.node,
        work_type=route.work_type,
        params=destination.params,
        tls_client=_choose_tls_client(destination, route, control),
        ttl=_check_duration(destination.ttl or DEFAULT_TTL),
        sign=_choose_signature(destination.sign, route),
    )


def _choose_signature(chosen: bool | None, route: Route) -> bool:
    wanted = route.wants_signature
    if chosen is None or wanted is None or chosen == wanted:
        return bool(wanted if chosen is None else chosen)
    demand = "takes signed work only" if wanted else "takes unsigned work only"
    choice = "--signwork" if chosen else "--no-signwork"
    raise Rejected(
        f"work type `{route.work_type}` of node `{route.node}` {demand}",
        cause=f"it advertises so, and {choice} was given",
        hint=f"leave {choice} out; {_LAG}",
    )


def _choose_tls_client(destination: Destination, route: Route, control: Control) -> str | None:
    chosen, wanted = destination.tls_client, route.wants_tls
    if chosen is None and wanted:
        return find_tls_client(route, control, destination.config)
    if chosen is None or wanted is None or bool(chosen) == wanted:
        return chosen or None
    demand = "requires TLS" if wanted else "does not use TLS"
    raise Rejected(
        f"the control service of node `{route.node}` {demand}",
        cause=f"it advertises so, and --tls-client `{chosen}` was given",
        hint=f"leave --tls-client out; {_LAG}",
    )


def _check_duration(ttl: str) -> str:
    """Return the ttl. The daemon creates a unit before it refuses an invalid one."""
    if _DURATION.fullmatch(ttl):
        return ttl
    raise UsageError(f"invalid --ttl `{ttl}`", hint="use a duration: --ttl 30s, 10m or 1h30m")
