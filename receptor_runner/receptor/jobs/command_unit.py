"""A unit that runs one command of a worker's: no input, a little output, an exit code; it is gone afterwards."""

from __future__ import annotations

import dataclasses
import re
import time
from dataclasses import dataclass

from receptor_runner.errors import ContactLost, NeverStarted, NodeUnavailable, StreamError
from receptor_runner.outcome import Outcome, Status
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.control.unit import UnitState, UnitStatus, WorkOrder
from receptor_runner.receptor.jobs.follower import submit
from receptor_runner.receptor.jobs.liveness import Evidence, FollowPolicy, Watch
from receptor_runner.receptor.jobs.submit import choose_route
from receptor_runner.receptor.jobs.unit import release_fully, release_quietly
from receptor_runner.receptor.jobs.work_order import work_order
from receptor_runner.receptor.nodes.destination import Destination

SIZE_LIMIT = 16 * 1024 * 1024

_EXIT_STATUS = re.compile(r"exit status (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandEnd:
    """How a command ended.

    Attributes:
        output: what it printed; a node merges stdout and stderr.
        node: where it ran.
        succeeded: whether it exited with 0.
        detail: the node's word for how it ended.
    """

    output: bytes
    node: str
    succeeded: bool
    detail: str

    @property
    def text(self) -> str:
        """The output as text, without what could steer a terminal."""
        lines = self.output.decode(errors="replace").splitlines()
        return "\n".join("".join(char if char.isprintable() else "?" for char in line) for line in lines)

    @property
    def exit_code(self) -> int | None:
        """The command's exit code, if the node tells it.

        Source: a failed unit's detail ends with the words of Go for an exit code.
        """
        if self.succeeded:
            return 0
        told = _EXIT_STATUS.search(self.detail)
        return int(told[1]) if told else None


def run_command(destination: Destination, words: str, policy: FollowPolicy) -> CommandEnd:
    """Run a command of a worker as a unit on a node, and remove the unit.

    Args:
        destination: where; its params come before the command.
        words: the command, quoted as for a shell.
        policy: deadlines and retries.

    Raises:
        NodeUnavailable: the node or work type does not exist, takes no parameters, or cannot be reached.
        NeverStarted: nothing of it ran.
        ContactLost: it may have run, but its end cannot be learned.
        StreamError: it prints more than such a command has to say.
    """
    with destination.local_node() as local:
        control = destination.control(local)
        route = choose_route(control, destination)
        params = " ".join(part for part in (destination.params, words) if part)
        order = work_order(dataclasses.replace(destination, params=params), route, control)
        output, status = run_unit(control, order, policy)
    succeeded = status.state is UnitState.SUCCEEDED
    return CommandEnd(output=output, node=route.node, succeeded=succeeded, detail=status.detail)


def run_unit(control: Control, order: WorkOrder, policy: FollowPolicy) -> tuple[bytes, UnitStatus]:
    """Run a unit without input; return what it printed and its last status. The unit is removed, come what may.

    Args:
        control: the node that is asked.
        order: what it is to run.
        policy: deadlines and retries.

    Raises:
        NodeUnavailable: the node refuses or stays away, or there is no end within `wait_timeout_s`.
        NeverStarted: nothing of it ran.
        ContactLost: it may have run, but its end cannot be learned.
        StreamError: it prints more than SIZE_LIMIT bytes.
    """
    created: list[str] = []
    started_at = time.monotonic()
    try:
        unit_id = submit(control, order, [], created.append)
        return _Collection(control, unit_id, policy, started_at).collect()
    finally:
        for unit_id in created:
            if not release_fully(control, unit_id):
                release_quietly(control, unit_id, force=True)


class _Collection:
    """Collects the output of one unit until its end is beyond doubt."""

    def __init__(self, control: Control, unit_id: str, policy: FollowPolicy, started_at: float) -> None:
        self._control = control
        self._unit_id = unit_id
        self._policy = policy
        self._output = bytearray()
        self._started_at = started_at
        self._heard_at = time.monotonic()
        self._watch = Watch(policy, runner_lives=control.process_lives, is_routed=control.is_routed)

    def collect(self) -> tuple[bytes, UnitStatus]:
        retry, what = self._policy.retry, f"reading the results of unit {self._unit_id}"
        while True:
            retry.call(self._read, what)
            status = retry.call(lambda: self._control.unit_status(self._unit_id), what)
            self._judge(status)
            if status.state.is_complete and len(self._output) >= status.stdout_size:
                return bytes(self._output), status
            time.sleep(self._policy.poll_s)

    def _read(self) -> None:
        """Read on until the node closes the stream, or nothing more comes for a while."""
        with self._control.results(self._unit_id, len(self._output)) as results:
            while piece := results.read(self._policy.status_s):
                self._output += piece
                self._heard_at = time.monotonic()
                self._check_limits("it goes on printing")

    def _judge(self, status: UnitStatus) -> None:
        """Raise if the unit is over although its output is not, or if it takes too long."""
        now = time.monotonic()
        seen = Evidence(status=status, received=len(self._output), silent_s=now - self._heard_at, now=now)
        ended = self._watch.judge(seen)
        if ended or not status.state.is_complete:
            self._check_limits(f"{status.state}: {status.detail}")
        if ended:
            raise self._error(ended)

    def _check_limits(self, cause: str) -> None:
        limit_s = self._policy.wait_timeout_s
        if limit_s is not None and time.monotonic() - self._started_at > limit_s:
            raise NodeUnavailable(f"no answer within {limit_s:g} s", cause=cause)
        if len(self._output) > SIZE_LIMIT:
            raise StreamError(f"unit {self._unit_id} prints too much", cause=f"over {SIZE_LIMIT} bytes")

    def _error(self, ended: Outcome) -> NeverStarted | ContactLost:
        if ended.status is Status.ERROR:
            return NeverStarted("the command never started", cause=ended.explanation)
        return ContactLost(f"unit {self._unit_id} did not come to its end", cause=ended.explanation)
