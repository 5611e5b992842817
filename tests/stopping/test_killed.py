"""A worker that is killed with -9 leaves neither processes nor files, whatever it was doing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from receptor_runner.stream.encoder import encode_line
from receptor_runner.stream.messages import ArchiveStart
from tests.harness import wait_until
from tests.stopping.test_signals import FILL, extracting

if TYPE_CHECKING:
    from tests.stopping.conftest import Bench, Worker

SECRET = "the-secret-of-this-job"
WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def check_nothing_left(bench: Bench, worker: Worker) -> None:
    """Kill a worker, and check that processes and files are gone."""
    worker.process.kill()
    worker.process.wait(10)
    bench.check_clean()


def test_while_the_job_is_read(bench: Bench) -> None:
    """What has come of a job is in no file that has a name."""
    bench.project.write("project/big", "x" * 100)
    worker = bench.start()
    worker.send(
        encode_line({"kwargs": {"playbook": "x"}}) + encode_line({"zipfile": 60 * 10**6}), whole=False
    )
    worker.send(b"QUJD" * 5_000_000, whole=False)
    wait_until(lambda: received(worker) > 15_000_000, "much of the job is received")
    check_nothing_left(bench, worker)


def received(worker: Worker) -> int:
    """Return how many bytes a worker has read."""
    lines = Path(f"/proc/{worker.process.pid}/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("rchar:")).split()[1])


def test_while_the_job_is_extracted(bench: Bench) -> None:
    """The half-filled directory is removed, with the secrets in it."""
    bench.project.write("env/passwords", f'{{"x": "{SECRET}"}}')
    for count in range(2000):
        bench.project.write(f"project/many/{count}", "x")
    worker = bench.start()
    worker.send(bench.transmit())
    wait_until(lambda: extracting(bench), "the extraction has begun")
    check_nothing_left(bench, worker)


def test_while_the_job_runs(bench: Bench, tmp_path: Path) -> None:
    """Ansible, stubborn tasks, daemons, the agent and its socket, and the directory with the key are gone."""
    if shutil.which("ssh-agent") is None:
        pytest.skip("ssh-agent is not on PATH")
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")]
    subprocess.run(words, check=True)
    bench.project.write("env/ssh_key", (tmp_path / "key").read_text(), mode=0o600)
    told = tmp_path / "socket"
    worker = bench.begin(f"- shell: echo $SSH_AUTH_SOCK > {told}\n- command: {bench.stubborn()}", signs=2)
    socket = Path(told.read_text().strip())
    assert socket.is_socket()
    assert bench.census.holding("ssh-agent")
    check_nothing_left(bench, worker)
    assert not socket.parent.exists()


@pytest.mark.slow
def test_while_the_archive_is_sent(bench: Bench) -> None:
    """The directory is removed although the job itself had ended."""
    bench.project.playbook(FILL.format(size=60_000_000))
    worker = bench.start()
    worker.send(bench.transmit())
    wait_until(lambda: worker.has(ArchiveStart), "the archive is being sent")
    check_nothing_left(bench, worker)


@pytest.mark.slow
def test_directories_that_cannot_be_written_go_too(bench: Bench) -> None:
    """Read-only directories of a project do not keep it on the disk of a worker without special rights."""
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not on PATH")
    bench.project.write("project/locked/below/file", SECRET)
    for name in ("project/locked/below", "project/locked"):
        (bench.project.path / name).chmod(0o500)
    bench.project.playbook(f"- command: {bench.stubborn(with_child=False)}")
    stream = bench.transmit()
    worker = bench.start(wrapper=WITHOUT_RIGHTS if is_root() else ())
    worker.send(stream)
    wait_until(lambda: bench.seen >= 1, "the job runs")
    check_nothing_left(bench, worker)


def is_root() -> bool:
    """Whether the tests run with all rights."""
    return Path("/proc/self").stat().st_uid == 0


def test_a_killed_guardian(bench: Bench) -> None:
    """When the guardian itself is killed, the worker says so, ansible and its tasks end, and no file is left."""
    worker = bench.begin(f"- shell: printf x > {bench.signs}; sleep 300")
    (guardian,) = bench.census.holding("guardian.py")
    os.kill(guardian, signal.SIGKILL)
    last = worker.finish()
    assert (last["status"], worker.process.returncode) == ("error", 70)
    assert "the guardian of the job's processes died" in last["job_explanation"]
    bench.check_clean()


@pytest.mark.slow
def test_a_named_directory_stays(bench: Bench, tmp_path: Path) -> None:
    """A directory that was to be kept is kept; one that was to be deleted is removed."""
    kept, removed = tmp_path / "kept", tmp_path / "removed"
    for directory, words in ((kept, []), (removed, ["--delete"])):
        bench.project.playbook(f"- command: {bench.stubborn(with_child=False)}")
        bench.signs.unlink(missing_ok=True)
        worker = bench.start("--private-data-dir", directory, *words)
        worker.send(bench.transmit())
        wait_until(lambda: bench.seen >= 1, "the job runs")
        check_nothing_left(bench, worker)
    assert (kept / "project/test.yml").exists()
    wait_until(lambda: not removed.exists(), "the removed directory is gone")


@pytest.mark.slow
def test_the_kill_reaches_a_worker_that_is_stopping(bench: Bench) -> None:
    """Receptor's SIGKILL after its SIGINT leaves no more than a SIGKILL alone."""
    worker = bench.begin(f"- command: {bench.stubborn()}", signs=2)
    worker.signal(signal.SIGINT)
    check_nothing_left(bench, worker)
