"""Following a unit without any socket: a scripted unit says what its node would say."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from receptor_runner.errors import ContactLost, NeverStarted, StreamError, UnknownUnit, Unreachable
from receptor_runner.handlers import runner_config
from receptor_runner.outcome import Outcome, Status
from receptor_runner.process import Processor
from receptor_runner.receptor.control.retry import RetryPolicy
from receptor_runner.receptor.control.unit import UnitStatus
from receptor_runner.receptor.jobs.follow_policy import FollowPolicy
from receptor_runner.receptor.jobs.follower import Follower
from receptor_runner.system.cancel import CancelToken

POLICY = FollowPolicy(
    poll_s=0.001, status_interval_s=0, cancel_timeout_s=0, unknown_grace_s=0.01, pending_timeout_s=0.01
)
RUNNING = b'{"status": "running"}\n'
CANCELED = b'{"status": "canceled"}\n{"eof": true}\n'
END = b'{"status": "successful"}\n{"eof": true}\n'
WHOLE = RUNNING + END


def state(name: str, size: int = 0, detail: str = "", extra: dict[str, Any] | None = None) -> UnitStatus:
    """Return a status of a local unit as the node would report it."""
    facts = {"Pid": 1} if extra is None else extra
    reply = {"StateName": name, "Detail": detail or name, "StdoutSize": size, "ExtraData": facts}
    return UnitStatus.from_reply(reply)


class Silence(Exception):
    """The script has come to its end although the following goes on."""


@dataclass
class Script:
    """The results that one connection delivers: pieces, None where nothing arrives, an error to raise."""

    pieces: list[bytes | Exception | None]

    def read(self, _wait_s: float, /) -> bytes | None:
        """Return the next piece; at the end the stream is closed."""
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        pass


@dataclass
class ScriptedUnit:
    """A unit whose connections and statuses are a script; the last status stays.

    Attributes:
        connections: the results of each connection, or why it fails.
        statuses: what the node reports, one at a time.
    """

    connections: list[Script | Exception]
    statuses: list[UnitStatus | Exception] = field(default_factory=list)
    unit_id: str = "abcdefgh"
    offsets: list[int] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    runner_is_alive: bool | None = None
    canceler: str | None = None
    is_removable: bool = True

    def results(self, offset: int, /) -> Script:
        """Open the next connection."""
        self.offsets.append(offset)
        if not self.connections:
            raise Silence
        connection = self.connections.pop(0)
        if isinstance(connection, Exception):
            raise connection
        return connection

    def status(self) -> UnitStatus:
        """Return the next status."""
        found = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if isinstance(found, Exception):
            raise found
        return found

    def cancel(self) -> bool:
        """Note the cancel."""
        self.done.append("cancel")
        return True

    def canceled_by(self) -> str | None:
        """Say what the script says of an earlier cancel."""
        return self.canceler

    def discard(self, *, force: bool) -> bool:
        """Note the release."""
        self.done.append("discard by force" if force else "discard")
        return self.is_removable

    def interrupt_abandoned_worker(self, _status: UnitStatus, /) -> None:
        """Note the interrupt."""
        self.done.append("interrupt")

    def runner_lives(self, _pid: int, /) -> bool | None:
        """Say what the script says of the command runner."""
        return self.runner_is_alive

    def is_routed(self, _node: str, /) -> bool:
        """Say that the mesh is whole."""
        return True


@dataclass
class Following:
    """Follows scripted units in one artifacts directory."""

    directory: Path
    cancel: CancelToken = field(default_factory=CancelToken)
    detach: CancelToken = field(default_factory=CancelToken)
    policy: FollowPolicy = POLICY
    troubles: list[str] = field(default_factory=list)

    def follow(self, unit: ScriptedUnit) -> Outcome:
        """Follow a unit to its end."""
        config = runner_config(self.directory, "job")
        processor = Processor(Path(config.artifact_dir), config=config)
        follower = Follower(
            unit,
            processor,
            policy=self.policy,
            retry=RetryPolicy(deadline_s=5, first_wait_s=0.001),
            cancel=self.cancel,
            detach=self.detach,
            on_progress=lambda: None,
            on_trouble=self.troubles.append,
        )
        try:
            return follower.follow()
        finally:
            processor.close()


@pytest.fixture
def following(tmp_path: Path) -> Iterator[Following]:
    """A following whose policy waits for nothing."""
    made = Following(tmp_path)
    yield made
    made.cancel.close()
    made.detach.close()


def test_trouble_is_reported_until_something_arrives(following: Following) -> None:
    """What keeps results from arriving is reported while it lasts, and its end as soon as more of them come."""
    unit = ScriptedUnit([Script([None, RUNNING, None, END])], [state("Running")], runner_is_alive=False)
    following.follow(unit)
    assert following.troubles == ["its command runner died", "", "its command runner died", ""]


def test_the_end_of_the_stream_ends_it(following: Following) -> None:
    """A stream with a final status and its end marker settles the job; the node is not asked."""
    unit = ScriptedUnit([Script([RUNNING, None, END])], [state("Running")])
    assert following.follow(unit).status is Status.SUCCESSFUL
    assert unit.done == []


def test_results_are_asked_for_once_the_unit_runs(following: Following) -> None:
    """A unit that is about to start gets a moment, for the daemon looks for its output only twice a second."""
    pending = state("Pending")
    unit = ScriptedUnit([Script([WHOLE])], [pending, pending, state("Running")])
    following.policy = dataclasses.replace(POLICY, start_grace_s=60)
    assert following.follow(unit).status is Status.SUCCESSFUL
    assert unit.statuses == [state("Running")]


def test_results_of_a_unit_that_does_not_start_are_asked_for_after_a_moment(following: Following) -> None:
    """A unit that stays pending is followed all the same."""
    unit = ScriptedUnit([Script([WHOLE])], [state("Pending")])
    following.policy = dataclasses.replace(POLICY, start_grace_s=0.05)
    assert following.follow(unit).status is Status.SUCCESSFUL


def test_a_closed_stream_is_resumed(following: Following) -> None:
    """When the node closes the stream before its end, reading resumes at the byte that is missing."""
    first, rest = WHOLE[:30], WHOLE[30:]
    unit = ScriptedUnit([Script([first]), Script([rest])], [state("Running", 30)])
    assert following.follow(unit).status is Status.SUCCESSFUL
    assert unit.offsets == [0, 30]


def test_a_broken_connection_is_resumed(following: Following) -> None:
    """A connection that breaks, and a node that is away for a moment, lose nothing."""
    broken = Script([WHOLE[:30], Unreachable("broken")])
    unit = ScriptedUnit([broken, Unreachable("away"), Script([WHOLE[30:]])], [state("Running", 30)])
    assert following.follow(unit).status is Status.SUCCESSFUL
    assert unit.offsets == [0, 30, 30]


def test_all_bytes_without_an_end_are_an_error(following: Following) -> None:
    """A unit that ended, and of which all bytes are here, has no job result if its stream is not whole."""
    tail = Script([b"Traceback: boom\n"])
    unit = ScriptedUnit([Script([RUNNING]), tail], [state("Failed", len(RUNNING), "exit status 1")])
    with pytest.raises(StreamError) as caught:
        following.follow(unit)
    assert "unit abcdefgh Failed: exit status 1; the last output: Traceback: boom" in str(caught.value.cause)


def test_a_unit_that_never_starts_is_taken_back(following: Following) -> None:
    """A unit that waits too long for its start is released by force, so that it cannot start later."""
    unit = ScriptedUnit([Script([]) for _ in range(100)], [state("Pending", detail="Waiting for Input Data")])
    with pytest.raises(NeverStarted, match="never started"):
        following.follow(unit)
    assert unit.done == ["discard by force"]


def test_a_unit_that_cannot_be_taken_back_may_still_start(following: Following) -> None:
    """Then the job is not called one that never started: the same command would run it a second time."""
    waiting = state("Pending", detail="Waiting for Input Data")
    unit = ScriptedUnit([Script([]) for _ in range(100)], [waiting], is_removable=False)
    with pytest.raises(ContactLost, match="could not be taken back"):
        following.follow(unit)


def test_a_unit_that_its_node_forgets_is_lost(following: Following) -> None:
    """A node that has just started may not know a unit for a moment; one that stays so has lost it."""
    for_a_moment = ScriptedUnit([UnknownUnit("?"), Script([WHOLE])], [state("Running")])
    assert following.follow(for_a_moment).status is Status.SUCCESSFUL
    for_good = ScriptedUnit([UnknownUnit("?") for _ in range(100)], [UnknownUnit("?")])
    lost = following.follow(for_good)
    assert lost.status is Status.LOST
    assert "its node does not know it any more" in str(lost.explanation)


def test_a_dead_command_runner_loses_the_job(following: Following) -> None:
    """A unit whose command runner is dead never ends by itself: it is lost, and its worker is interrupted."""
    following.policy = FollowPolicy(poll_s=0.001, status_interval_s=0, runner_timeout_s=0)
    unit = ScriptedUnit(
        [Script([RUNNING] + [None] * 100)], [state("Running", len(RUNNING))], runner_is_alive=False
    )
    assert following.follow(unit).status is Status.LOST
    assert unit.done == ["interrupt"]


def test_our_own_cancel_has_no_author(following: Following) -> None:
    """A cancel of ours is sent once, and is not told as somebody else's."""
    following.cancel.request()
    unit = ScriptedUnit([Script([RUNNING, None, None, CANCELED])], [state("Running")])
    outcome = following.follow(unit)
    assert (outcome.status, outcome.explanation) == (Status.CANCELED, None)
    assert unit.done == ["cancel"]


def test_somebody_elses_cancel_says_so(following: Following) -> None:
    """A job that somebody else canceled says so, with the state in which the node has its unit."""
    unit = ScriptedUnit([Script([RUNNING, CANCELED])], [state("Running"), state("Canceled")])
    outcome = following.follow(unit)
    assert outcome.status is Status.CANCELED
    assert outcome.explanation == "by another client (unit abcdefgh: Canceled)"


def test_an_earlier_cancel_of_ours_is_not_somebody_elses(following: Following) -> None:
    """A job that another process of this tool canceled names that process."""
    unit = ScriptedUnit(
        [Script([RUNNING, CANCELED])], [state("Canceled")], canceler="receptor-runner (process 7)"
    )
    assert following.follow(unit).explanation == "by receptor-runner (process 7)"


def test_a_detach_ends_the_wait_for_a_node(following: Following) -> None:
    """A detach ends the retries of a node that does not answer."""
    following.detach.request()
    unit = ScriptedUnit([Unreachable("away") for _ in range(100)], [state("Running")])
    with pytest.raises(Unreachable):
        following.follow(unit)
    assert len(unit.offsets) == 1


def test_a_canceled_unit_without_a_final_status_ends(following: Following) -> None:
    """The results of a canceled unit never end: silence after the last known byte ends the job."""
    unit = ScriptedUnit([Script([RUNNING] + [None] * 100)], [state("Canceled", len(RUNNING))])
    outcome = following.follow(unit)
    assert (outcome.status, outcome.rc) == (Status.CANCELED, 254)
    assert "without a final status" in str(outcome.explanation)


@pytest.mark.parametrize("canceling", [False, True])
def test_a_detach_leaves_the_job_alone(following: Following, canceling: bool) -> None:
    """A detach ends the following at once; a cancel that was requested before is sent first."""
    following.detach.request()
    if canceling:
        following.cancel.request()
    unit = ScriptedUnit([Script([RUNNING, None])], [state("Running")])
    with pytest.raises(ContactLost, match="being canceled" if canceling else "the job goes on"):
        following.follow(unit)
    assert unit.done == (["cancel"] if canceling else [])


LIMITS: list[tuple[FollowPolicy, str]] = [
    (FollowPolicy(poll_s=0.001, wait_timeout_s=0), "did not end within 0 s"),
    (FollowPolicy(poll_s=0.001, status_interval_s=0, contact_timeout_s=0), "sends keepalives"),
]


@pytest.mark.parametrize(("policy", "words"), LIMITS)
def test_limits_of_patience(following: Following, policy: FollowPolicy, words: str) -> None:
    """A time limit ends the following, not the job; silence counts only where keepalives were seen."""
    following.policy = policy
    keepalive = json.dumps({"event": "keepalive", "counter": 0, "uuid": 0}).encode() + b"\n"
    unit = ScriptedUnit([Script([RUNNING, keepalive, *[None] * 100])], [state("Running", 1000)])
    with pytest.raises(ContactLost, match=words):
        following.follow(unit)
    assert unit.done == []
