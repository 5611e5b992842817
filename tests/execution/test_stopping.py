"""Every way to stop a job stops all of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import psutil
import pytest
from receptor_runner.outcome import Status
from tests.execution.conftest import Ran, Workplace
from tests.harness import wait_until


def sleeping(mark: str) -> list[psutil.Process]:
    """Return the living processes that carry a mark in their command line."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.info["status"] != psutil.STATUS_ZOMBIE and mark in (process.info["cmdline"] or []):
            found.append(process)
    return found


SCRIPT = """
import os, signal, subprocess, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
if "IS_CHILD" not in os.environ:
    child = dict(os.environ, IS_CHILD="1")
    subprocess.Popen([sys.executable, *sys.argv], start_new_session=True, env=child)
while True:
    signal.pause()
"""


def stubborn(workplace: Workplace, mark: str) -> str:
    """Write a playbook whose task ignores signals and starts a daemon, both with a mark."""
    script = workplace.write("project/stubborn.py", SCRIPT)
    return workplace.playbook(f"- command: {sys.executable} {script} {mark}")


def begin(workplace: Workplace, mark: str) -> Ran:
    """Start such a job and wait until its children run."""
    ran = workplace.begin(playbook=stubborn(workplace, mark))
    wait_until(lambda: len(sleeping(mark)) >= 2, "the children run")
    return ran


def test_a_cancelled_job_leaves_no_process(workplace: Workplace) -> None:
    """A stop ends ansible, its forks, the module and its daemons, though they ignore every polite signal."""
    mark = uuid.uuid4().hex
    ran = begin(workplace, mark)
    ran.stop.request()
    assert (ran.outcome.status, ran.outcome.rc) == (Status.CANCELED, 254)
    assert sleeping(mark) == []
    assert (ran.artifacts / "status").read_text() == "canceled"
    assert (ran.artifacts / "rc").read_text() == "254"
    assert ran.told.statuses[-1]["status"] == "canceled"


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"timeout": 3}, "job_timeout"), ({"settings": {"idle_timeout": 3}}, "idle_timeout")],
)
def test_a_job_that_takes_too_long_is_stopped(
    workplace: Workplace, options: dict[str, Any], reason: str
) -> None:
    """Both timeouts stop the whole tree, with status timeout, 254 and the reason."""
    mark = uuid.uuid4().hex
    script = workplace.write("project/stubborn.py", SCRIPT)
    ran = workplace.run(binary=sys.executable, cmdline=f"{script} {mark}", **options)
    assert (ran.outcome.status, ran.outcome.rc) == (Status.TIMEOUT, 254)
    assert reason in ran.told.statuses[-1]["job_explanation"]
    assert sleeping(mark) == []


@pytest.mark.parametrize(
    ("end", "status", "rc"),
    [
        ("kill -INT $$", Status.CANCELED, 254),
        ("exit 99", Status.CANCELED, 254),
        ("exit 2", Status.FAILED, 2),
    ],
)
def test_a_program_that_stops_before_the_worker_has_heard(
    workplace: Workplace, end: str, status: Status, rc: int
) -> None:
    """Where the whole tree is signalled and ansible is faster than we, the job is canceled; its own end is its own."""
    ready, go = workplace.path / "ready", workplace.path / "go"
    script = workplace.write("job.sh", f"touch {ready}\nwhile [ ! -e {go} ]; do sleep 0.02; done\n{end}\n")
    ran = workplace.begin(binary="sh", cmdline=str(script))
    wait_until(ready.exists, "the program runs")
    ran.stop.requested = True  # as it is before the descriptor is looked at again
    go.touch()
    assert (ran.outcome.status, ran.outcome.rc) == (status, rc)


def test_a_stop_before_the_start_runs_nothing_to_its_end(workplace: Workplace) -> None:
    """A stop that was requested before the job began ends it at once."""
    mark = uuid.uuid4().hex
    ran = Ran(workplace.artifacts("7"))
    ran.stop.request()
    ran.perform(workplace.path, {"playbook": stubborn(workplace, mark)})
    assert ran._outcome is not None
    assert ran._outcome.status is Status.CANCELED
    assert sleeping(mark) == []


def test_a_flood_of_output_can_be_stopped(workplace: Workplace) -> None:
    """A program that never stops writing is stopped by its timeout all the same."""
    ran = workplace.run(binary="bash", cmdline="-c yes", timeout=1)
    assert ran.outcome.status is Status.TIMEOUT


def test_an_interrupted_ansible_ends_politely(workplace: Workplace) -> None:
    """Ansible is interrupted first, as by Ctrl-C, and says so."""
    ran = workplace.begin(playbook=workplace.playbook("- command: sleep 100"))
    ran.told.wait_for("runner_on_start")
    ran.stop.request()
    assert ran.outcome.status is Status.CANCELED
    assert "User interrupted execution" in ran.told.text


WORKER = """
import sys
from pathlib import Path
from receptor_runner.execution.guardian_client import GuardianClient
from receptor_runner.execution.run import execute
from receptor_runner.system.cancel import CancelToken
from receptor_runner.job import Job
from tests.execution.conftest import Told
directory = Path(sys.argv[1])
with GuardianClient() as guardian:
    guardian.remove_on_exit(directory)
    execute(Job(playbook=sys.argv[2]), directory, ident="7", sink=Told(), stop=CancelToken(), guardian=guardian)
"""


def test_a_killed_worker_leaves_neither_processes_nor_files(workplace: Workplace) -> None:
    """When the worker itself is killed, the guardian ends the job and removes the temporary directory."""
    mark = uuid.uuid4().hex
    name = stubborn(workplace, mark)
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", WORKER, str(workplace.path), name]
    worker = subprocess.Popen(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    wait_until(lambda: len(sleeping(mark)) >= 2, "the children run")
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    wait_until(lambda: not sleeping(mark), "all processes are gone")
    wait_until(lambda: not workplace.path.exists(), "the directory is gone")
