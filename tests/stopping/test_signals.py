"""Whenever SIGTERM or SIGINT comes, the stream is whole and nothing is left."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from receptor_runner.stream.decoder import Decoder
from receptor_runner.stream.encoder import encode_line
from receptor_runner.stream.messages import ArchiveData, ArchiveEnd, ArchiveStart, Eof, StatusLine
from tests.harness import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stopping.conftest import Bench, Worker

SIGNALS = [signal.SIGTERM, signal.SIGINT]
RECEPTOR_KILLS_AFTER_S = 10.0


def by_name(number: signal.Signals) -> str:
    """Name a test's parameter."""
    return number.name


def listens(worker: Worker, *kinds: str) -> bool:
    """Whether a worker handles SIGTERM itself by now, or does what is named in its status."""
    lines = Path(f"/proc/{worker.process.pid}/status").read_text().splitlines()
    masks = [int(line.split()[1], 16) for line in lines if line.split(":")[0] in (kinds or ("SigCgt",))]
    return any(mask & 1 << (signal.SIGTERM - 1) for mask in masks)


def extracting(bench: Bench) -> bool:
    """Whether a worker's directory has the first of many files, and not the last."""
    return any(bench.temporary.glob("receptor-runner-*/project/many"))


@pytest.mark.parametrize("number", SIGNALS, ids=by_name)
def test_while_the_worker_comes_up(bench: Bench, number: signal.Signals) -> None:
    """A stop that comes before the worker has imported what it needs is answered on the stream all the same."""
    worker = bench.start()
    wait_until(lambda: listens(worker, "SigBlk", "SigCgt"), "the worker is there")
    worker.signal(number)
    assert worker.finish()["status"] == "canceled"
    assert worker.process.returncode == 254
    bench.check_clean()


@pytest.mark.parametrize("number", SIGNALS, ids=by_name)
def test_while_the_job_is_read(bench: Bench, number: signal.Signals) -> None:
    """A worker that waits for the rest of its job says that it is canceled, and leaves nothing."""
    worker = bench.start()
    worker.send(encode_line({"kwargs": {"playbook": "x"}}) + encode_line({"zipfile": 10**6}), whole=False)
    wait_until(lambda: listens(worker), "the worker handles signals")
    worker.signal(number)
    assert worker.finish()["status"] == "canceled"
    assert worker.process.returncode == 254
    bench.check_clean()


def test_while_the_job_is_extracted(bench: Bench) -> None:
    """A stop during extraction is heeded before anything runs."""
    for count in range(2000):
        bench.project.write(f"project/many/{count}", "x")
    bench.project.playbook(f"- command: touch {bench.signs}")
    worker = bench.start()
    stream = bench.transmit()
    worker.send(stream)
    wait_until(lambda: extracting(bench), "the extraction has begun")
    worker.signal(signal.SIGTERM)
    assert worker.finish()["status"] == "canceled"
    assert not bench.signs.exists()
    assert worker.process.returncode == 254
    bench.check_clean()


@pytest.mark.parametrize("status", ["starting", "running"])
def test_while_ansible_starts(bench: Bench, status: str) -> None:
    """A stop before the first task ends the job before one has run."""
    bench.project.playbook(f"- pause: seconds=2\n- command: touch {bench.signs}")
    worker = bench.start()
    worker.send(bench.transmit())
    worker.await_status(status)
    worker.signal(signal.SIGTERM)
    assert worker.finish()["status"] == "canceled"
    assert not bench.signs.exists()
    assert worker.process.returncode == 254
    worker.check_order()
    bench.check_clean()


def test_while_everything_runs_that_a_task_can_start(bench: Bench) -> None:
    """Of forks, modules, asynchronous tasks, background children and daemons that ignore signals, none survives."""
    worker = bench.begin(
        f"- command: {bench.stubborn(with_child=False)}\n  async: 300\n  poll: 0\n"
        f"- shell: {bench.stubborn(with_child=False)} & sleep 0.1\n"
        f"- command: {bench.stubborn()}\n",
        signs=4,
    )
    worker.signal(signal.SIGINT)
    last = worker.finish()
    assert (last["status"], worker.process.returncode) == ("canceled", 254)
    assert "job_explanation" not in last
    worker.check_order()
    bench.check_clean()


@pytest.mark.slow
def test_a_second_signal_changes_nothing(bench: Bench) -> None:
    """Signals that come while the job is being stopped do not cut the stream short."""
    worker = bench.begin(f"- command: {bench.stubborn()}", signs=2)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        worker.signal(number)
    assert worker.finish()["status"] == "canceled"
    bench.check_clean()


FILL = "- shell: head -c {size} /dev/urandom > $AWX_ISOLATED_DATA_DIR/big\n"
HUNDRED_MB = 100_000_000


@pytest.mark.slow
def test_a_stop_with_big_artifacts_is_over_before_receptor_kills(
    bench: Bench, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """With 100 MB of artifacts and a task that ignores signals, all is out within Receptor's 10 s."""
    bench.project.playbook(FILL.format(size=HUNDRED_MB) + f"- command: {bench.stubborn()}")
    stream = bench.transmit()
    with (tmp_path / "results").open("wb") as results:
        worker = bench.spawn(stdout=results.fileno())
        assert worker.stdin is not None
        worker.stdin.write(stream)
        worker.stdin.close()
        wait_until(lambda: bench.seen == 2, "the job's tasks run")
        asked = time.monotonic()
        worker.send_signal(signal.SIGINT)
        assert worker.wait(60) == 254
        took_s = time.monotonic() - asked
    record_property("seconds_from_sigint_to_end", took_s)
    assert took_s < RECEPTOR_KILLS_AFTER_S
    found = [*Decoder().feed((tmp_path / "results").read_bytes())]
    kinds = [type(message) for message in found if not isinstance(message, ArchiveData)]
    assert kinds[-4:] == [StatusLine, ArchiveStart, ArchiveEnd, Eof]
    assert sum(len(message.data) for message in found if isinstance(message, ArchiveData)) > HUNDRED_MB
    bench.check_clean()


def test_while_the_archive_is_sent(bench: Bench) -> None:
    """A stop that comes when the job has ended changes neither its verdict nor its artifacts."""
    bench.project.playbook(FILL.format(size=30_000_000))
    worker = bench.start()
    worker.send(bench.transmit())
    wait_until(lambda: worker.has(ArchiveStart), "the archive is being sent")
    worker.signal(signal.SIGTERM)
    assert worker.finish()["status"] == "successful"
    assert worker.process.returncode == 0
    assert len(worker.data) > 30_000_000
    bench.check_clean()


def test_ansible_killed_by_a_signal(bench: Bench) -> None:
    """When ansible is killed the job fails with 128+n and the reason, and what ansible ran is gone too."""
    worker = bench.begin(f"- command: {bench.stubborn()}", signs=2)
    wait_until(lambda: bool(bench.census.holding("bin/ansible-playbook")), "ansible runs")
    os.kill(min(bench.census.holding("bin/ansible-playbook")), signal.SIGKILL)
    last = worker.finish()
    assert (last["status"], worker.process.returncode) == ("failed", 137)
    assert "killed by signal 9 (SIGKILL; out of memory?)" in last["job_explanation"]
    bench.check_clean()


@pytest.mark.parametrize("setting", ["job_timeout", pytest.param("idle_timeout", marks=pytest.mark.slow)])
def test_a_timeout_stops_everything(bench: Bench, setting: str) -> None:
    """Both timeouts stop the whole tree: status timeout, 254, and which limit it was."""
    bench.project.write("env/settings", json.dumps({setting: 4}))
    bench.project.playbook(f"- command: {bench.stubborn()}")
    worker = bench.start()
    worker.send(bench.transmit())
    last = worker.finish()
    assert (last["status"], worker.process.returncode) == ("timeout", 254)
    assert setting in last["job_explanation"]
    worker.check_order()
    bench.check_clean()


@pytest.mark.slow
def test_while_nobody_reads(bench: Bench) -> None:
    """A worker whose reader has fallen asleep stops its job all the same, and ends with 74 and an error."""
    bench.project.playbook(
        f"- debug: msg={{{{ 'x' * 300000 }}}}\n- command: {bench.stubborn()}\n- debug: msg={{{{ 'x' * 300000 }}}}"
    )
    process = bench.spawn()
    assert process.stdin is not None
    process.stdin.write(bench.transmit())
    process.stdin.close()
    wait_until(lambda: bench.seen == 2, "the job's tasks run")
    process.terminate()
    assert process.wait(40) == 74
    bench.check_clean()


@pytest.mark.slow
def test_an_ended_job_leaves_what_it_started_on_purpose(bench: Bench) -> None:
    """A job that ends by itself leaves its asynchronous tasks running; worker and guardian are gone."""
    worker = bench.begin(f"- command: {bench.stubborn(with_child=False)}\n  async: 300\n  poll: 0")
    assert worker.finish()["status"] == "successful"
    wait_until(lambda: not bench.census.holding("guardian.py"), "the guardian is gone")
    assert bench.census.holding("stubborn.py")
    assert not bench.census.holding("receptor-runner worker")
    assert bench.files == []
