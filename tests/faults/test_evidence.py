"""What the status of a unit on the local node proves over time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from receptor_runner.outcome import Status
from receptor_runner.receptor.control.processes import NodeProcesses
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.control.unit import UnitStatus
from receptor_runner.receptor.jobs.follow_policy import FollowPolicy
from receptor_runner.receptor.jobs.liveness import Evidence, Liveness
from tests.harness import NodeFactory, wait_until

POLICY = FollowPolicy(runner_timeout_s=5, results_timeout_s=50, cancel_timeout_s=10, pending_timeout_s=20)


def local(state: str, detail: str = "", extra: object = None, size: int = 0) -> UnitStatus:
    """Return the status of a unit that runs on the local node."""
    reply = {"StateName": state, "Detail": detail, "StdoutSize": size, "WorkType": "x", "ExtraData": extra}
    return UnitStatus.from_reply(reply)


def judge(liveness: Liveness, now: float, status: UnitStatus, received: int = 0) -> Status | None:
    """Return how the unit ended, as judged at a moment."""
    ended = liveness.judge(Evidence(status=status, received=received, silent_s=now, now=now))
    return ended.status if ended else None


def a_local_unit(*, lives: bool | None = True) -> Liveness:
    """Return a watch on a unit whose command runner lives or not."""
    return Liveness(POLICY, runner_lives=lambda _pid: lives, is_routed=lambda _node: True)


def test_output_of_a_worker_without_its_command_runner_counts() -> None:
    """A dead command runner is no loss as long as output comes, and one once nothing comes."""
    liveness = a_local_unit()
    running = local("Running", "Running: PID 7")
    assert [judge(liveness, now, running, received=now) for now in range(0, 40, 4)] == [None] * 10
    assert judge(liveness, 41, running, received=36) is Status.LOST


def test_a_dead_process_is_a_dead_command_runner() -> None:
    """After a restart of the node its process id is all that is known."""
    liveness = a_local_unit(lives=False)
    running = local("Running", "Running: PID 7", {"Pid": 6})
    assert judge(liveness, 0, running) is None
    assert judge(liveness, 6, running) is Status.LOST


def test_a_work_type_that_is_gone_is_no_dead_command_runner() -> None:
    """Where the work type was removed from the node's configuration, the facts are a text; the unit runs on."""
    liveness = a_local_unit()
    running = local("Running", "Running: PID 7", "Unknown WorkType")
    assert [judge(liveness, now, running) for now in (0, 100, 1000)] == [None] * 3


def test_a_unit_that_is_said_to_be_pending_may_run() -> None:
    """Once output came, or the command runner was there, a pending unit is never said not to have run."""
    liveness = a_local_unit()
    assert judge(liveness, 0, local("Pending", "Not started yet")) is None
    assert judge(liveness, 6, local("Pending", "Not started yet")) is Status.LOST
    liveness = a_local_unit()
    assert judge(liveness, 0, local("Pending", "Starting Worker")) is None
    assert judge(liveness, 21, local("Pending", "Starting Worker")) is Status.ERROR


def test_a_canceled_unit_whose_bytes_do_not_come_ends() -> None:
    """A canceled unit of which known bytes never come ends too, only later."""
    liveness = a_local_unit()
    canceled = local("Canceled", "Canceled", size=100)
    assert judge(liveness, 11, canceled, received=50) is None
    assert judge(liveness, 51, canceled, received=50) is Status.CANCELED
    assert judge(liveness, 11, canceled, received=100) is Status.CANCELED


def test_a_process_that_waits_to_be_reaped_is_dead(node_factory: NodeFactory) -> None:
    """A command runner whose parent never reaps it counts as dead."""
    control = Control(str(node_factory("embedded").socket))
    process = subprocess.Popen([sys.executable, "-c", ""])
    wait_until(lambda: b") Z " in Path(f"/proc/{process.pid}/stat").read_bytes(), "it has ended")
    assert NodeProcesses(control).lives(process.pid) is False
    process.wait()
    assert NodeProcesses(control).lives(process.pid) is False
    assert NodeProcesses(control).lives(os.getpid()) is True


def test_only_a_unit_s_own_worker_is_interrupted(node_factory: NodeFactory) -> None:
    """A process that does not read the unit's payload is left alone, whatever the node says."""
    control = Control(str(node_factory("embedded").socket))
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    NodeProcesses(control).interrupt_worker("abcdefgh", process.pid)
    assert process.poll() is None
    process.communicate(b"\n")
    assert process.returncode == 0
