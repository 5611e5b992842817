"""Many jobs at once, and one with a million events: everything right, memory flat."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import receptor_runner
from tests.faults.conftest import Lab
from tests.harness import LOCALHOST, finish, wait_until

QUICK = "noisy"


def check_all(lab: Lab, idents: list[str], text: str) -> None:
    """Check that each job has its own artifacts, and whole ones."""
    for ident in idents:
        directory = lab.project.artifacts(ident)
        record = json.loads((directory / "unit.json").read_bytes())
        assert (record["stage"], record["released"]) == ("ended", True), record
        assert record["outcome"]["status"] == "successful"
        assert (directory / "status").read_text() == "successful"
        assert text in (directory / "stdout").read_text()
        names = sorted(path.name for path in (directory / "job_events").iterdir())
        assert [name.split("-")[0] for name in names] == sorted(str(n + 1) for n in range(len(names)))
        assert len(names) >= 2


@pytest.mark.slow
def test_submitted_and_followed_by_one_process(lab: Lab) -> None:
    """100 jobs submitted in parallel, followed by one `attach --all`: each has its artifacts, one unit, one run."""
    from receptor_runner.job import Job
    from receptor_runner.receptor.jobs.submit import start
    from receptor_runner.receptor.nodes.destination import Destination
    from receptor_runner.transmit import prepare

    idents = [str(number) for number in range(100)]
    where = Destination(socket=lab.socket, work_type=QUICK)

    def submit(ident: str) -> str | None:
        shipment = prepare(Job(ident=ident, playbook="test.yml"), lab.project.path)
        try:
            with where.local_node() as local:
                return start(shipment, lab.project.path, where, local).unit_id
        finally:
            shipment.close()

    with ThreadPoolExecutor(16) as pool:
        units = list(pool.map(submit, idents))
    assert len(set(units)) == 100
    followed = lab.commands.ours("attach", lab.project.path, "--all", timeout_s=110)
    assert followed.rc == 0, followed.stderr[-2000:]
    assert len(followed.text.splitlines()) == 200
    assert "42 | before" in followed.text.splitlines()
    check_all(lab, idents, "before\nafter\n")
    assert lab.runs == 100


@pytest.mark.slow
def test_run_async_by_one_process(lab: Lab) -> None:
    """100 jobs by `run_async` in one process: each runner tells its own job's end."""
    started = [
        receptor_runner.run_async(
            private_data_dir=lab.project.path,
            playbook="test.yml",
            ident=str(number),
            socket=lab.socket,
            work_type=QUICK,
            quiet=True,
        )
        for number in range(100)
    ]
    for thread, _runner in started:
        thread.join(110)
        assert not thread.is_alive()
    assert [runner.status for _thread, runner in started] == ["successful"] * 100
    check_all(lab, [str(number) for number in range(100)], "before")
    assert lab.runs == 100


@pytest.mark.slow
def test_real_plays_at_once(lab: Lab) -> None:
    """Several real plays at once, each saying its own ident, do not mix."""
    for number in range(5):
        lab.project.playbook(f"- debug: msg='this is job {number}'", name=f"play{number}.yml")
    lab.project.write("inventory/hosts", LOCALHOST)
    words = [["-p", f"play{number}.yml", "-i", str(number)] for number in range(5)]
    clients = [
        lab.commands.start("submit", str(lab.project.path), *more, "--socket", lab.socket) for more in words
    ]
    for client in clients:
        ended = finish(client)
        assert ended.rc == 0, ended.stderr
    followed = lab.commands.ours("attach", lab.project.path, "--all", timeout_s=100)
    assert followed.rc == 0, followed.stderr
    for number in range(5):
        stdout = (lab.project.artifacts(str(number)) / "stdout").read_text()
        assert f"this is job {number}" in stdout
        assert "ok=1" in stdout
        others = {f"this is job {other}" for other in range(5)} - {f"this is job {number}"}
        assert not any(other in stdout for other in others)


FOLLOW = """
import sys
from receptor_runner import run
seen = 0
def count(event):
    global seen
    seen += 1
    return False
runner = run(private_data_dir=sys.argv[1], playbook="test.yml", ident="job", socket=sys.argv[2],
             work_type="flood", quiet=True, event_handler=count)
print(runner.status, seen, flush=True)
"""
EVENTS = int(os.environ.get("FAULTS_EVENTS", "1000000"))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_million_events(lab: Lab) -> None:
    """The results of a job with a million events are followed with flat memory, each event handled once."""
    words = [sys.executable, "-c", FOLLOW, str(lab.project.path), lab.socket]
    client = subprocess.Popen(words, stdout=subprocess.PIPE, env=lab.commands.environment)
    process = psutil.Process(client.pid)
    sizes: list[int] = []
    stdout = lab.artifacts / "stdout"

    def has_ended() -> bool:
        if stdout.exists() and stdout.stat().st_size:
            sizes.append(_rss(process))
        return client.poll() is not None

    wait_until(has_ended, "every event is handled", 240)
    assert client.stdout
    with client.stdout:
        assert client.stdout.read().decode().split() == ["successful", str(EVENTS + 2)]
    early = max(sizes[: max(len(sizes) // 5, 1)])
    assert max(sizes) < early + (24 << 20), [size >> 20 for size in sizes]
    assert max(sizes) < 160 << 20
    assert lab.runs == 1


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
