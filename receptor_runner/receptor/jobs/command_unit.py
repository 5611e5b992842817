"""Running one command of a worker as a unit: no input, little output, an exit code; the unit is removed."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass

from receptor_runner.errors import ContactLost, NeverStarted, NodeUnavailable, StreamError
from receptor_runner.outcome import Outcome, Status
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.control.retry import RetryPolicy
from receptor_runner.receptor.control.unit import UnitState, UnitStatus, WorkOrder
from receptor_runner.receptor.jobs.follow_policy import FollowPolicy
from receptor_runner.receptor.jobs.liveness import Evidence, Liveness
from receptor_runner.receptor.jobs.routing import choose_route
from receptor_runner.receptor.jobs.unit import Unit
from receptor_runner.receptor.jobs.upload import upload
from receptor_runner.receptor.jobs.work_order import work_order
from receptor_runner.receptor.nodes.destination import Destination

SIZE_LIMIT = 16 * 1024 * 1024

_EXIT_STATUS = re.compile(r"exit status (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandEnd:
    """How a command ended.

    Attributes:
        output: what it printed; the node merges stdout and stderr.
        node: where it ran.
        succeeded: whether it exited with 0.
        detail: how it ended, as the node says.
    """

    output: bytes
    node: str
    succeeded: bool
    detail: str

    @property
    def text(self) -> str:
        """The output as text, without control characters."""
        lines = self.output.decode(errors="replace").splitlines()
        return "\n".join("".join(char if char.isprintable() else "?" for char in line) for line in lines)

    @property
    def exit_code(self) -> int | None:
        """The command's exit code, None if the node does not say.

        Source: the detail of a unit that failed ends with Go's text for an exit code, `exit status 2`.
        """
        if self.succeeded:
            return 0
        match = _EXIT_STATUS.search(self.detail)
        return int(match[1]) if match else None


def run_command(destination: Destination, words: str, policy: FollowPolicy | None = None) -> CommandEnd:
    """Run a command of a worker as a unit on a node, and remove the unit.

    Args:
        destination: where; its params come before the command.
        words: the command, quoted as for a shell.
        policy: timeouts.

    Raises:
        NodeUnavailable: the node or work type does not exist, takes no parameters, or cannot be reached.
        NeverStarted: nothing of it ran.
        ContactLost: it may have run, but its end cannot be learned.
        StreamError: it prints more than SIZE_LIMIT bytes.
    """
    with destination.local_node() as local:
        control = destination.control(local)
        route = choose_route(control, destination)
        params = " ".join(part for part in (destination.params, words) if part)
        order = work_order(dataclasses.replace(destination, params=params), route, control)
        output, status = run_unit(control, order, policy or FollowPolicy(), destination.retry)
    succeeded = status.state is UnitState.SUCCEEDED
    return CommandEnd(output=output, node=route.node, succeeded=succeeded, detail=status.detail)


def run_unit(
    control: Control,
    order: WorkOrder,
    policy: FollowPolicy,
    retry: RetryPolicy,
    payload: Iterable[bytes] = (),
) -> tuple[bytes, UnitStatus]:
    """Run a unit with little input; return what it printed and its last status. The unit is removed in any case.

    Args:
        control: the control service of the local node.
        order: the work order.
        policy: timeouts.
        retry: how a lost connection is retried.
        payload: its input.

    Raises:
        NodeUnavailable: the node refuses or does not answer, or there is no end within `wait_timeout_s`.
        NeverStarted: nothing of it ran.
        ContactLost: it may have run, but its end cannot be learned.
        StreamError: it prints more than SIZE_LIMIT bytes.
    """
    created: list[str] = []
    started_at = time.monotonic()
    try:
        unit_id = upload(control, order, payload, created.append)
        return _Collection(Unit(control, unit_id), policy, retry, started_at).collect()
    finally:
        for unit_id in created:
            unit = Unit(control, unit_id)
            if not unit.discard_and_wait():
                unit.discard(force=True)


class _Collection:
    """Collects the output of one unit until it has all of it."""

    def __init__(self, unit: Unit, policy: FollowPolicy, retry: RetryPolicy, started_at: float) -> None:
        self._unit = unit
        self._policy = policy
        self._retry = retry
        self._output = bytearray()
        self._started_at = started_at
        self._received_at = time.monotonic()
        self._liveness = Liveness(policy, runner_lives=unit.runner_lives, is_routed=unit.is_routed)

    def collect(self) -> tuple[bytes, UnitStatus]:
        what = f"reading the results of unit {self._unit.unit_id}"
        while True:
            self._retry.call(self._read, what)
            status = self._retry.call(self._unit.status, what)
            self._judge(status)
            if status.state.is_complete and len(self._output) >= status.stdout_size:
                return bytes(self._output), status
            time.sleep(self._policy.poll_s)

    def _read(self) -> None:
        """Read until the node closes the stream, or nothing more arrives for a while."""
        with self._unit.results(len(self._output)) as results:
            while piece := results.read(self._policy.status_interval_s):
                self._output += piece
                self._received_at = time.monotonic()
                self._check_limits("it keeps printing")

    def _judge(self, status: UnitStatus) -> None:
        """Raise if the unit is over although its output is not, or if it takes too long."""
        now = time.monotonic()
        seen = Evidence(status=status, received=len(self._output), silent_s=now - self._received_at, now=now)
        ended = self._liveness.judge(seen)
        if ended or not status.state.is_complete:
            self._check_limits(f"{status.state}: {status.detail}")
        if ended:
            raise self._error(ended)

    def _check_limits(self, cause: str) -> None:
        limit_s = self._policy.wait_timeout_s
        if limit_s is not None and time.monotonic() - self._started_at > limit_s:
            raise NodeUnavailable(f"no answer within {limit_s:g} s", cause=cause)
        if len(self._output) > SIZE_LIMIT:
            raise StreamError(f"unit {self._unit.unit_id} prints too much", cause=f"over {SIZE_LIMIT} bytes")

    def _error(self, ended: Outcome) -> NeverStarted | ContactLost:
        if ended.status is Status.ERROR:
            return NeverStarted("the command never started", cause=ended.explanation)
        return ContactLost(f"it is not known how unit {self._unit.unit_id} ended", cause=ended.explanation)
