"""The timeouts of following a unit; each that has a flag is named after it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowPolicy:
    """How a unit is followed, and how long each sign of trouble may last.

    Silence alone never ends a job; only what the node reports does. How a lost connection is retried is not decided
    here: that is `Destination.retry`.

    Attributes:
        wait_timeout_s: how long to follow in all; None for no limit.
        contact_timeout_s: how long nothing may arrive once a keepalive was seen; None for no limit.
        pending_timeout_s: how long a unit may wait for its start.
        node_timeout_s: how long the target node may be out of the mesh.
        runner_timeout_s: how long a unit may count as running although its command runner is dead.
        results_timeout_s: how long results that the node has may fail to arrive; after a break of the mesh that takes a
            minute.
        cancel_timeout_s: how long a canceled unit may be silent once all bytes that its node knows of are here: its
            worker still writes its final status after the cancel, and the node may not count those bytes.
        expiry_grace_s: how long a remote unit may wait beyond its ttl. The daemon ends it at the ttl, unless the target
            node refused it in the background; then it would wait forever.
        unknown_grace_s: how long the node may not know the unit: a node that has just started may not have found its
            units yet.
        start_grace_s: how long a unit that is about to start is given before its results are asked for.
        late_results_s: how long results of an ended unit may take before a person is told. A daemon asks the target
            node for the status and for the results in turn, once a second each, so the end is known first.
        poll_s: how often a requested cancel or detach is looked for.
        status_interval_s: how often the unit's status is asked for while nothing arrives.
    """

    wait_timeout_s: float | None = None
    contact_timeout_s: float | None = None
    pending_timeout_s: float = 600.0
    node_timeout_s: float = 300.0
    runner_timeout_s: float = 10.0
    results_timeout_s: float = 300.0
    cancel_timeout_s: float = 15.0
    expiry_grace_s: float = 10.0
    unknown_grace_s: float = 3.0
    start_grace_s: float = 0.5
    late_results_s: float = 4.0
    poll_s: float = 0.2
    status_interval_s: float = 2.0
