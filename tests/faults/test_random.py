"""Random faults: whatever dies whenever, the job runs at most once, ends in bounded time, and leaves nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

import psutil
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from tests.faults.conftest import Lab, build_lab
from tests.harness import contents, finish, short_directory, wait_until

SEED = int(os.environ.get("FAULTS_SEED", "20250101"))
VICTIMS = ("client", "node", "worker", "runner")
CODES = {0, 65, 69, 73, 75, 76, 254}
FAULTS = st.lists(
    st.tuples(st.sampled_from(VICTIMS), st.floats(min_value=0, max_value=1.2)), min_size=1, max_size=3
)


def kill(lab: Lab, victim: str, client: subprocess.Popen[bytes]) -> None:
    """Kill one of those that take part, if it is there."""
    if victim == "node":
        lab.node.kill()
        lab.node.start()
        return
    if victim == "client":
        client.kill()
        return
    with contextlib.suppress(psutil.Error, IndexError, ValueError):
        unit = lab.record.get("unit_id") or "none"
        target = lab.runner_of(unit) if victim == "runner" else lab.worker_of(unit)
        target.send_signal(signal.SIGKILL)


def settle(lab: Lab, client: subprocess.Popen[bytes]) -> int:
    """Bring the job to its end, with whatever commands that takes; return the last exit code."""
    try:
        code = finish(client, 45).rc
    except subprocess.TimeoutExpired:
        pytest.fail("the client does not end")
    if code >= 0:
        return code
    return lab.ask("attach", "--runner-timeout", "2", "--results-timeout", "3", timeout_s=45).rc


@seed(SEED)
@settings(
    max_examples=10,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=False,
)
@given(faults=FAULTS, wait_s=st.floats(min_value=0, max_value=1))
def run_examples(faults: list[tuple[str, float]], wait_s: float) -> None:
    """One example: a job, some faults, and the invariants."""
    with short_directory() as directory:
        lab = build_lab("embedded", directory)
        try:
            check_example(lab, faults, wait_s)
            lab.census()
        finally:
            lab.close()


def check_example(lab: Lab, faults: list[tuple[str, float]], wait_s: float) -> None:
    """Check that the job ran at most once, and that its artifacts are whole or its error is named."""
    client = lab.start("run", "--runner-timeout", "2", "--results-timeout", "3", "--retry-deadline", "10")
    for victim, pause_s in faults:
        await_moment(client, pause_s)
        kill(lab, victim, client)
    await_moment(client, wait_s)
    lab.open()
    code = settle(lab, client)
    assert lab.runs <= 1
    assert code in CODES | {66}, code
    if code == 0:
        found = contents(lab.artifacts)
        assert found["stdout"] == b"before\r\nafter\r\n"
        assert (found["status"], found["rc"], lab.runs) == (b"successful", b"0", 1)
    elif lab.record:
        assert lab.job()["active"] or lab.job()["explanation"]
    wait_until(lambda: not lab.worker_directories, "no worker's directory is left", 20)


def await_moment(client: subprocess.Popen[bytes], seconds: float) -> None:
    """Let a random time go by, or less if the client ends."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        client.wait(seconds)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_random_faults() -> None:
    """Client, node, worker and command runner are killed at random moments; set FAULTS_SEED for other ones."""
    run_examples()
