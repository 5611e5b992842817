"""Judging, from what a node says of a unit over time, whether it is over although its stream is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from receptor_runner.outcome import RC_STOPPED, Outcome, Status
from receptor_runner.receptor.control.retry import RetryPolicy
from receptor_runner.receptor.control.unit import UnitState, UnitStatus

_LAUNCHED = "Not started yet"
_PEER_UNIT_GONE = "Remote work unit is gone"
_CANCELED_BEFORE_START = "Locally Cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowPolicy:
    """How a unit is followed, and what counts as its end.

    Silence alone is never an end; only what the node says is.

    Attributes:
        retry: how a broken connection is resumed.
        poll_s: how often wishes are looked at.
        status_s: how often the unit's status is asked for while nothing comes.
        canceled_silence_s: how long a canceled unit may be silent, once its known bytes are here: its worker still
            writes its last words after the cancel, and the node may not count them.
        dead_runner_s: how long a unit may say it runs although its command runner is gone.
        pending_timeout_s: how long a unit may wait for its start.
        expired_s: how long a remote unit may wait beyond its ttl: the daemon ends it then, unless the other node has
            refused the start in the background; in that case it would wait for ever.
        node_gone_s: how long the node where it runs may be out of the mesh.
        missing_s: how long known bytes of an ended unit may fail to come; after a mesh break that takes a minute.
        vanished_s: how long its node may not know it: one that has just started may not have found its units yet.
        contact_timeout_s: how long nothing may come once a keepalive has been seen; None for ever.
        wait_timeout_s: how long to follow in all; None for ever.
    """

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    poll_s: float = 0.2
    status_s: float = 2.0
    canceled_silence_s: float = 15.0
    dead_runner_s: float = 10.0
    pending_timeout_s: float = 600.0
    expired_s: float = 10.0
    node_gone_s: float = 300.0
    missing_s: float = 300.0
    vanished_s: float = 3.0
    contact_timeout_s: float | None = None
    wait_timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of a unit at one moment.

    Attributes:
        status: what the node says of it.
        received: bytes of its results that have come.
        silent_s: for how long nothing has come.
        now: the moment, in seconds of a monotonic clock.
    """

    status: UnitStatus
    received: int
    silent_s: float
    now: float


class Watch:
    """Watches one unit; a suspicion has to last before it is believed.

    Args:
        policy: how long each suspicion has to last.
        runner_lives: whether the process of a local unit's command runner lives; None where that cannot be seen.
        is_routed: whether a node is in the mesh.
    """

    def __init__(
        self,
        policy: FollowPolicy,
        *,
        runner_lives: Callable[[int], bool | None],
        is_routed: Callable[[str], bool],
    ) -> None:
        self._policy = policy
        self._runner_lives = runner_lives
        self._is_routed = is_routed
        self._suspicion = ""
        self._since = 0.0
        self._sizes = (-1, -1)

    def judge(self, seen: Evidence) -> Outcome | None:
        """Return how the unit ended if it is over, else None.

        The status is `error` where nothing of it ran, and `lost` where it may have run.
        """
        status = seen.status
        if status.state is UnitState.CANCELED:
            return self._judge_canceled(seen)
        if failure := _failed_start(status):
            return failure
        suspicion, limit_s = self._suspect(seen)
        sizes = (status.stdout_size, seen.received)
        if suspicion != self._suspicion or sizes != self._sizes:
            self._suspicion, self._since, self._sizes = suspicion, seen.now, sizes
        if not suspicion or seen.now - self._since < limit_s:
            return None
        never_ran = status.state is UnitState.PENDING and not status.remote_unit_id and not _may_run(seen)
        kind = Status.ERROR if never_ran else Status.LOST
        return Outcome(status=kind, explanation=f"{suspicion} ({status.state}: {status.detail})")

    def _judge_canceled(self, seen: Evidence) -> Outcome | None:
        known_bytes_are_here = seen.received >= seen.status.stdout_size
        limit_s = self._policy.canceled_silence_s if known_bytes_are_here else self._policy.missing_s
        if seen.silent_s < limit_s:
            return None
        explanation = (
            f"the unit was canceled on its node, and its worker had no last word ({seen.status.detail})"
        )
        return Outcome(status=Status.CANCELED, rc=RC_STOPPED, explanation=explanation)

    def _suspect(self, seen: Evidence) -> tuple[str, float]:
        """Return what is wrong, if anything is, and for how long that may be."""
        status, policy = seen.status, self._policy
        if status.state is UnitState.PENDING and status.is_expired:
            return "it was not started before its ttl ended", policy.expired_s
        if status.state is UnitState.PENDING and not _may_run(seen):
            return "the unit never started", policy.pending_timeout_s
        if status.state is UnitState.FAILED and status.detail == _PEER_UNIT_GONE:
            what = f"its unit on node `{status.remote_node}` was removed by somebody else"
            return what, 0 if seen.received >= status.stdout_size else policy.dead_runner_s
        if status.state.is_complete and seen.received < status.stdout_size:
            return "the rest of the results does not come", policy.missing_s
        if status.state not in {UnitState.RUNNING, UnitState.PENDING}:
            return "", 0
        if remote := status.remote_node:
            gone = seen.silent_s >= policy.status_s and not self._is_routed(remote)
            return (f"node `{remote}` left the mesh", policy.node_gone_s) if gone else ("", 0)
        return ("its command runner died", policy.dead_runner_s) if self._runner_is_dead(status) else ("", 0)

    def _runner_is_dead(self, status: UnitStatus) -> bool:
        """Whether the process that watches the worker is gone: the node forgets it, or it is no process any more."""
        if status.extra is None:
            return True
        return status.runner_pid is not None and self._runner_lives(status.runner_pid) is False


def _may_run(seen: Evidence) -> bool:
    """Whether a unit that is said to be pending runs all the same.

    Source: its command runner says so a quarter of a second after the start, and never if it dies before that.
    """
    return seen.received > 0 or seen.status.detail == _LAUNCHED


def _failed_start(status: UnitStatus) -> Outcome | None:
    """Return how a unit ended that its node could not start on another one.

    Source: once the other node has named its unit, a start that was not confirmed may still have happened.
    """
    if status.state is not UnitState.FAILED or not status.remote_node or status.remote_started:
        return None
    if status.detail == _CANCELED_BEFORE_START:
        return Outcome(status=Status.CANCELED, rc=RC_STOPPED, explanation="it was canceled before it started")
    if unit_id := status.remote_unit_id:
        what = (
            f"node `{status.remote_node}` did not confirm the start of its unit {unit_id} ({status.detail})"
        )
        return Outcome(status=Status.LOST, explanation=what)
    what = f"it could not be started on node `{status.remote_node}` ({status.detail})"
    return Outcome(status=Status.ERROR, explanation=what)
