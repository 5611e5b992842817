"""What a remote unit's status proves over time, on statuses as the daemon gives them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from receptor_runner.outcome import Status
from receptor_runner.receptor.control.unit import UnitStatus
from receptor_runner.receptor.jobs.follow_policy import FollowPolicy
from receptor_runner.receptor.jobs.liveness import Evidence, Liveness

POLICY = FollowPolicy(
    pending_timeout_s=100, expiry_grace_s=10, node_timeout_s=50, runner_timeout_s=5, late_results_s=4
)


def remote(state: str, detail: str = "", *, size: int = 0, **extra: Any) -> UnitStatus:
    """Return the status of a unit that was passed on to node `exec`."""
    facts = {"RemoteNode": "exec", "RemoteUnitID": "", "RemoteStarted": False} | extra
    reply = {
        "StateName": state,
        "Detail": detail,
        "StdoutSize": size,
        "WorkType": "remote",
        "ExtraData": facts,
    }
    return UnitStatus.from_reply(reply)


class Clock:
    """Judges one unit at given moments."""

    def __init__(self, *, is_routed: bool = True) -> None:
        self._liveness = Liveness(POLICY, runner_lives=lambda _pid: None, is_routed=lambda _node: is_routed)

    def at(self, now: float, status: UnitStatus, received: int = 0) -> tuple[Status, str] | None:
        """Return how the unit ended, as judged at a moment."""
        seen = Evidence(status=status, received=received, silent_s=now, now=now)
        ended = self._liveness.judge(seen)
        return (ended.status, ended.explanation or "") if ended else None

    @property
    def trouble(self) -> str:
        """What a person is told to be wrong."""
        return self._liveness.trouble


def test_a_start_that_failed_ran_nothing() -> None:
    """A unit that failed before the other node named one of its own is an error at once."""
    status, explanation = Clock().at(0, remote("Failed", "Work unit expired on Tue")) or pytest.fail()
    assert status is Status.ERROR
    assert "node `exec` (Work unit expired on Tue)" in explanation


def test_a_start_that_was_not_confirmed_may_have_happened() -> None:
    """Once the other node has named its unit, the job counts as lost, never as not run."""
    failed = remote("Failed", "read error", RemoteUnitID="abc")
    status, explanation = Clock().at(0, failed) or pytest.fail()
    assert status is Status.LOST
    assert "did not confirm the start of its unit abc" in explanation


def test_a_cancel_before_the_start() -> None:
    """The daemon calls it a failure; it is a cancel."""
    status, explanation = Clock().at(0, remote("Failed", "Locally Cancelled")) or pytest.fail()
    assert (status, explanation) == (Status.CANCELED, "it was canceled before it started")


def test_a_cancel_during_the_transfer_names_the_unit_that_is_left() -> None:
    """The daemon releases only what the target node has confirmed."""
    canceled = remote("Failed", "Locally Cancelled", RemoteUnitID="abc")
    status, explanation = Clock().at(0, canceled) or pytest.fail()
    assert status is Status.CANCELED
    assert "its unit abc, which is left there" in explanation


def test_a_job_that_failed_by_itself_is_not_judged() -> None:
    """A started unit whose command failed has a stream that says how."""
    assert Clock().at(1000, remote("Failed", "exit status 2", RemoteStarted=True)) is None


def test_a_pending_unit_is_given_up_after_its_time() -> None:
    """A start that pends is no end until the pending timeout has passed."""
    clock, pending = Clock(), remote("Pending", "Starting Worker")
    assert clock.at(0, pending) is None
    assert clock.at(99, pending) is None
    status, explanation = clock.at(101, pending) or pytest.fail()
    assert (status, "never started" in explanation) == (Status.ERROR, True)


def test_results_that_are_only_late_are_no_trouble() -> None:
    """Over a mesh a unit's end is known before its last results are here; a person is told if that lasts."""
    clock, ended = Clock(), remote("Succeeded", "exit status 0", size=10, RemoteStarted=True)
    for now, trouble in ((0, ""), (3, ""), (4, "the remaining results do not arrive")):
        assert clock.at(now, ended, received=5) is None
        assert clock.trouble == trouble
    clock.at(5, ended, received=10)
    assert clock.trouble == ""


def test_a_pending_unit_beyond_its_ttl_was_refused() -> None:
    """The daemon does not end a unit whose start was refused in the background, so its ttl is counted here."""
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    clock, pending = Clock(), remote("Pending", "Starting Worker", Expiration=past)
    assert clock.at(0, pending) is None
    status, explanation = clock.at(11, pending) or pytest.fail()
    assert (status, "before its ttl ended" in explanation) == (Status.ERROR, True)


@pytest.mark.parametrize("expiration", ["0001-01-01T00:00:00Z", "2999-01-01T00:00:00.123456789Z", "", None])
def test_a_ttl_that_has_not_passed(expiration: str | None) -> None:
    """No ttl, and one that is still open, leave it to the pending timeout."""
    assert not remote("Pending", Expiration=expiration).is_expired


def test_a_unit_that_is_gone_over_there() -> None:
    """It is lost: at once when all that is known of it is here, else when nothing more has come for a while."""
    gone = remote("Failed", "Remote work unit is gone", size=10, RemoteStarted=True, RemoteUnitID="abc")
    assert (Clock().at(0, gone, received=10) or pytest.fail())[0] is Status.LOST
    clock = Clock()
    assert clock.at(0, gone, received=4) is None
    assert (clock.at(6, gone, received=4) or pytest.fail())[0] is Status.LOST


def test_a_node_that_left_the_mesh() -> None:
    """Its job is lost when it has been away for the node timeout; a node that is routed may be silent for ever."""
    running = remote("Running", "Running: PID 1", RemoteStarted=True, RemoteUnitID="abc")
    away, here = Clock(is_routed=False), Clock()
    assert (away.at(5, running), here.at(5, running)) == (None, None)
    status, explanation = away.at(60, running) or pytest.fail()
    assert (status, "node `exec` left the mesh" in explanation) == (Status.LOST, True)
    assert here.at(10_000, running) is None
