"""A small real job, which takes the way of every job.

It is Ansible's `ping` module on the node itself, not a shell command in a unit: only a real job packs, uploads and
extracts an archive, starts ansible-core (in the node's container image, if it has one), sends events back while it
runs, and brings artifacts home. What is left to fail after that is in the job, not on the way.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from typing import Any

from receptor_runner.doctor.verdict import Fault, Verdict, failed, ok
from receptor_runner.handlers import Handlers
from receptor_runner.job import Job, new_ident
from receptor_runner.outcome import Outcome, Status
from receptor_runner.receptor.jobs.follow import Following, follow
from receptor_runner.receptor.jobs.follow_policy import FollowPolicy
from receptor_runner.receptor.jobs.record import RecordFile
from receptor_runner.receptor.jobs.submit import start
from receptor_runner.receptor.jobs.unit import Unit
from receptor_runner.receptor.nodes.destination import Destination
from receptor_runner.receptor.nodes.locate import LocalNode
from receptor_runner.system.directories import PREFIX
from receptor_runner.transmit import prepare

_HOST = "localhost ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'\n"
_LAST_LINES = 200


def run_echo(destination: Destination, local: LocalNode, *, within_s: float) -> Verdict:
    """Run the job on the target node and return what came back; unit, artifacts and record are removed.

    Args:
        destination: where it runs.
        local: the local node.
        within_s: how long it may take.

    Raises:
        NodeUnavailable: the node refuses, or nothing of the job ran.
        ContactLost: its end is not known.
    """
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name:
        echo = _Echo(Path(name), destination, local)
        started = time.monotonic()
        try:
            outcome = echo.run(within_s)
        finally:
            echo.remove()
        return echo.judge(outcome, time.monotonic() - started)


class _Echo:
    """One echo job in a private data directory of its own."""

    def __init__(self, directory: Path, destination: Destination, local: LocalNode) -> None:
        self._directory = directory
        self._destination = destination
        self._local = local
        self._file = RecordFile(directory, new_ident())
        self._events = 0
        self._answer: str | None = None
        self._output = ""

    def run(self, within_s: float) -> Outcome:
        inventory = self._directory / "inventory" / "hosts"
        inventory.parent.mkdir()
        inventory.write_text(_HOST)
        job = Job(ident=self._file.ident, module="ansible.builtin.ping", host_pattern="localhost")
        with contextlib.closing(prepare(job, self._directory)) as shipment:
            start(shipment, self._directory, self._destination, self._local, is_listed=False)
        policy = FollowPolicy(
            wait_timeout_s=within_s,
            pending_timeout_s=within_s,
            node_timeout_s=within_s,
            results_timeout_s=within_s,
        )
        handlers = Handlers(event_handler=self._take_event, display=self._take_output)
        following = Following(handlers=handlers, policy=policy)
        return follow(self._directory, self._file.ident, self._destination, following)

    def _take_event(self, event: dict[str, Any]) -> bool:
        self._events += 1
        result = event.get("event_data", {}).get("res", {})
        self._answer = result.get("ping", self._answer)
        return False

    def _take_output(self, text: str) -> None:
        self._output = (self._output + text)[-_LAST_LINES:]

    def judge(self, outcome: Outcome, seconds: float) -> Verdict:
        facts = {
            "status": outcome.status.value,
            "rc": outcome.rc,
            "events": self._events,
            "seconds": round(seconds, 3),
        }
        if outcome.status is Status.SUCCESSFUL and self._answer == "pong":
            return ok(f"a job ran in {seconds:.1f} s, {self._events} events", facts)
        why = outcome.explanation or " ".join(self._output.split()) or f"rc {outcome.rc}"
        hint = "run one and look at it: receptor-runner adhoc localhost -m ping --node NODE"
        return failed(f"the job is {outcome.status}: {why}", Fault.MISCONFIGURED, hint, facts)

    def remove(self) -> None:
        """Remove the unit, whatever became of the job."""
        record = self._file.read()
        if record and record.unit_id and not record.released:
            unit = Unit(self._destination.control(self._local), record.unit_id)
            if not unit.discard_and_wait():
                unit.discard(force=True)
