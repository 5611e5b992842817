"""Is a unit still alive? Judged from what its node reports over time, when its stream does not say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from receptor_runner.outcome import RC_STOPPED, Outcome, Status
from receptor_runner.receptor.control.unit import UnitState, UnitStatus
from receptor_runner.receptor.jobs.follow_policy import FollowPolicy

_NEVER_STARTED = "the unit never started"
_RESULTS_MISSING = "the remaining results do not arrive"
_LAUNCHED = "Not started yet"
_PEER_UNIT_GONE = "Remote work unit is gone"
_CANCELED_BEFORE_START = "Locally Cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of a unit at one moment.

    Attributes:
        status: its status, as its node reports it.
        received: bytes of its results that have arrived.
        silent_s: for how long nothing has arrived.
        now: the moment, in seconds of a monotonic clock.
    """

    status: UnitStatus
    received: int
    silent_s: float
    now: float


class Liveness:
    """Judges whether one unit is still alive; a symptom has to last before it counts.

    Args:
        policy: how long each symptom has to last.
        runner_lives: whether the process of a local unit's command runner is alive; None where that cannot be seen.
        is_routed: whether the local node has a route to a node.
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
        self._symptom = ""
        self._since = self._judged_at = 0.0
        self._sizes = (-1, -1)

    @property
    def trouble(self) -> str:
        """What is wrong with the unit at the moment; "" for nothing: a start and the last results may take a while."""
        is_recent = self._judged_at - self._since < self._policy.late_results_s
        is_usual = self._symptom == _NEVER_STARTED or (self._symptom == _RESULTS_MISSING and is_recent)
        return "" if is_usual else self._symptom

    def judge(self, seen: Evidence) -> Outcome | None:
        """Return how the unit ended if it is over, else None.

        The status is `error` where nothing of it ran, and `lost` where it may have run.
        """
        status = seen.status
        if status.state is UnitState.CANCELED:
            return self._judge_canceled(seen)
        if failure := failed_start(status):
            return failure
        self._judged_at = seen.now
        symptom, limit_s = self._symptom_of(seen)
        # Any progress of the unit or of the transfer restarts the clock.
        sizes = (status.stdout_size, seen.received)
        if symptom != self._symptom or sizes != self._sizes:
            self._symptom, self._since, self._sizes = symptom, seen.now, sizes
        if not symptom or seen.now - self._since < limit_s:
            return None
        never_ran = status.state is UnitState.PENDING and not status.remote_unit_id and not _may_run(seen)
        kind = Status.ERROR if never_ran else Status.LOST
        return Outcome(status=kind, explanation=f"{symptom} ({status.state}: {status.detail})")

    def _judge_canceled(self, seen: Evidence) -> Outcome | None:
        # The daemon never ends the results of a canceled unit, and the size that it reports may be too small: the
        # worker goes on writing for up to ten seconds. So the stream's own end decides, or else silence.
        has_known_bytes = seen.received >= seen.status.stdout_size
        limit_s = self._policy.cancel_timeout_s if has_known_bytes else self._policy.results_timeout_s
        if seen.silent_s < limit_s:
            return None
        explanation = (
            f"the unit was canceled, and its worker ended without a final status ({seen.status.detail})"
        )
        return Outcome(status=Status.CANCELED, rc=RC_STOPPED, explanation=explanation)

    def _symptom_of(self, seen: Evidence) -> tuple[str, float]:
        """Return what is wrong, "" for nothing, and for how long it may last."""
        status, policy = seen.status, self._policy
        if status.state is UnitState.PENDING and status.is_expired:
            return "it was not started before its ttl ended", policy.expiry_grace_s
        if status.state is UnitState.PENDING and not _may_run(seen):
            return _NEVER_STARTED, policy.pending_timeout_s
        if status.state is UnitState.FAILED and status.detail == _PEER_UNIT_GONE:
            what = f"its unit on node `{status.remote_node}` was removed by another client"
            return what, 0 if seen.received >= status.stdout_size else policy.runner_timeout_s
        if status.state.is_complete and seen.received < status.stdout_size:
            return _RESULTS_MISSING, policy.results_timeout_s
        if status.state not in {UnitState.RUNNING, UnitState.PENDING}:
            return "", 0
        if remote := status.remote_node:
            is_gone = seen.silent_s >= policy.status_interval_s and not self._is_routed(remote)
            return (f"node `{remote}` left the mesh", policy.node_timeout_s) if is_gone else ("", 0)
        is_dead = self._runner_is_dead(status)
        return ("its command runner died", policy.runner_timeout_s) if is_dead else ("", 0)

    def _runner_is_dead(self, status: UnitStatus) -> bool:
        """Return whether the command runner is dead.

        Source: the daemon sets the extra data to null when the command runner exits, but keeps its process id if it
        was restarted in the meantime.
        """
        if status.extra is None:
            return True
        return status.runner_pid is not None and self._runner_lives(status.runner_pid) is False


def _may_run(seen: Evidence) -> bool:
    """Return whether a unit may run although it is reported as pending.

    Source: the command runner reports the start a quarter of a second after it, and never if it dies before that.
    """
    return seen.received > 0 or seen.status.detail == _LAUNCHED


def failed_start(status: UnitStatus) -> Outcome | None:
    """Return how a remote unit ended that its target node did not start, else None.

    Source: once the target node has named its unit, a start that was not confirmed may still have happened. A cancel
    then ends the transfer of the payload. As a rule that leaves it torn, so that the worker there runs nothing of it;
    the unit there stays.
    """
    if status.state is not UnitState.FAILED or not status.remote_node or status.remote_started:
        return None
    unit_id = status.remote_unit_id
    if status.detail == _CANCELED_BEFORE_START:
        what = "it was canceled before it started"
        if unit_id:
            where = f"node `{status.remote_node}`"
            what = f"it was canceled before {where} confirmed the start of its unit {unit_id}, which is left there"
        return Outcome(status=Status.CANCELED, rc=RC_STOPPED, explanation=what)
    if unit_id:
        what = (
            f"node `{status.remote_node}` did not confirm the start of its unit {unit_id} ({status.detail})"
        )
        return Outcome(status=Status.LOST, explanation=what)
    what = f"it could not be started on node `{status.remote_node}` ({status.detail})"
    return Outcome(status=Status.ERROR, explanation=what)
