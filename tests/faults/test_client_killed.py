"""The client is killed (-9) at every place of a job's life: it runs at most once, and `attach` finds it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from typing import Any

import pytest
from receptor_runner.handlers import Handlers
from receptor_runner.receptor.jobs.follow import Following, follow
from receptor_runner.receptor.nodes.destination import Destination
from tests.faults.conftest import Lab
from tests.faults.gateway import Hold
from tests.harness import contents, wait_until

SUBMIT = b'"subcommand": "submit"'


def kill_at(process: subprocess.Popen[bytes], hold: Hold) -> None:
    """Kill a process once its conversation is held."""
    assert hold.reached.wait(30), "the conversation never came to its place"
    process.send_signal(signal.SIGKILL)
    process.wait(10)


def test_after_the_intent(lab: Lab) -> None:
    """Killed before the node was asked: nothing ran, `attach` says so, and `run` runs it once."""
    gateway = lab.gateway()
    kill_at(lab.start("run"), gateway.hold(SUBMIT, upwards=True))
    gateway.open()
    assert (lab.record["stage"], lab.record["unit_id"]) == ("intent", None)
    assert lab.control.units() == {}
    lab.open()
    again = lab.ask("run")
    assert again.rc == 0, again.stderr
    assert lab.runs == 1


def test_attach_after_the_intent(lab: Lab) -> None:
    """Attaching to a job that never got a unit names that, with a way on, and forgets the intent."""
    gateway = lab.gateway()
    kill_at(lab.start("run"), gateway.hold(SUBMIT, upwards=True))
    gateway.open()
    attached = lab.ask("attach")
    assert attached.rc == 66, attached.stderr
    assert "never got a unit" in attached.stderr
    assert lab.runs == 0


def test_after_the_creation(lab: Lab) -> None:
    """Killed between the unit's creation and its id on disk: it ran nothing, is an orphan, and can be pruned."""
    gateway = lab.gateway()
    kill_at(lab.start("run"), gateway.hold(b"Work unit created", upwards=False))
    gateway.open()
    assert lab.record["unit_id"] is None
    (unit,) = lab.control.units()
    wait_until(lambda: lab.control.unit_status(unit).state.is_complete, "the unit has ended")
    lab.open()
    again = lab.ask("run")
    assert again.rc == 0, again.stderr
    assert lab.runs == 1
    listed = lab.commands.ours("jobs", lab.project.path, "--orphans", "--socket", lab.socket)
    assert f"orphan: left: unit {unit}" in listed.text, listed.stderr
    pruned = lab.commands.ours("jobs", lab.project.path, "--orphans", "--prune", "--socket", lab.socket)
    assert f"orphan: removed: unit {unit}" in pruned.text
    assert lab.control.units() == {}


@pytest.mark.parametrize("work_type", ["receptor-runner", "ansible-runner"])
def test_orphan_of_a_raw_client(lab: Lab, work_type: str) -> None:
    """A client of any kind that dies right after the creation leaves an orphan that is found and pruned."""
    order = {"command": "work", "subcommand": "submit", "node": "localhost", "worktype": work_type}
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(lab.node.socket))
        client.sendall(json.dumps(order).encode() + b"\n")
        told = b""
        while b"Work unit created" not in told:
            told += client.recv(1000)
    (unit,) = lab.control.units()
    wait_until(lambda: lab.control.unit_status(unit).state.is_complete, "the unit has ended")
    other = lab.ask("run", work_type="noisy")
    assert other.rc == 0, other.stderr
    pruned = lab.commands.ours("jobs", lab.project.path, "--orphans", "--prune", "--socket", lab.socket)
    assert f"orphan: removed: unit {unit}" in pruned.text, pruned.stderr
    assert lab.control.units() == {}


def test_a_terminal_that_is_closed(lab: Lab) -> None:
    """A hang-up ends the client and nothing else: the job goes on, and `attach` brings its results home."""
    client = lab.start("run")
    lab.await_output()
    client.send_signal(signal.SIGHUP)
    client.wait(10)
    lab.open()
    attached = lab.ask("attach")
    assert attached.rc == 0, attached.stderr
    assert lab.runs == 1


def test_handlers_after_a_crash(lab: Lab) -> None:
    """Each event reaches a handler once; those that come again after a crash have the same counter and uuid."""
    client = lab.start("run")
    lab.await_output()
    client.kill()
    client.wait(10)
    earlier = {path.name for path in (lab.artifacts / "job_events").iterdir()}
    lab.open()
    seen: list[str] = []

    def note(event: dict[str, Any]) -> bool:
        seen.append(f"{event['counter']}-{event['uuid']}.json")
        return True

    where = Destination(socket=lab.socket)
    outcome = follow(lab.project.path, "job", where, Following(handlers=Handlers(event_handler=note)))
    assert outcome.status == "successful"
    assert len(seen) == len(set(seen))
    assert earlier | set(seen) == {path.name for path in (lab.artifacts / "job_events").iterdir()}


def kill_in_the_upload(lab: Lab) -> None:
    """Kill a client in the middle of its upload."""
    client, gateway = lab.start_stuck_upload()
    client.kill()
    client.wait(10)
    gateway.open()
    assert lab.record["stage"] == "created"


def test_in_the_payload(lab: Lab) -> None:
    """Killed in the middle of the upload: the torn payload never runs, and the same command runs the job."""
    kill_in_the_upload(lab)
    lab.open()
    again = lab.ask("run")
    assert again.rc == 0, again.stderr
    assert lab.runs == 1


def test_other_inputs_after_a_torn_payload(lab: Lab) -> None:
    """A job of which nothing ran does not hold its ident, whatever the next one is."""
    kill_in_the_upload(lab)
    lab.project.write("project/more", "x")
    lab.open()
    again = lab.ask("run")
    assert again.rc == 0, again.stderr
    assert lab.runs == 1


def test_attach_after_a_torn_payload(lab: Lab) -> None:
    """Attaching to a job whose upload was interrupted says that nothing ran; the same command then runs it."""
    kill_in_the_upload(lab)
    attached = lab.ask("attach")
    assert attached.rc == 69, attached.stderr
    assert "nothing of the job `job` has run: its upload was interrupted" in attached.stderr
    assert lab.runs == 0
    lab.open()
    again = lab.ask("run")
    assert again.rc == 0, again.stderr
    assert lab.runs == 1


def test_before_the_reply(lab: Lab) -> None:
    """Killed with the payload sent and the node's word outstanding: the job runs once, and `run` attaches to it."""
    gateway = lab.gateway()
    kill_at(lab.start("run"), gateway.hold(b"Job Started", upwards=False))
    gateway.open()
    assert lab.record["stage"] == "created"
    lab.await_job()
    lab.open()
    again = lab.ask("run")
    assert again.rc == 0, again.stderr
    assert "after" in again.text
    assert lab.runs == 1


def test_after_the_start(lab: Lab) -> None:
    """Killed while the job runs: `attach` brings artifacts home that are those of an undisturbed run."""
    client = lab.start("run")
    lab.await_output()
    client.send_signal(signal.SIGKILL)
    client.wait(10)
    unit = lab.record["unit_id"]
    lab.open()
    wanted = lab.undisturbed(unit)
    attached = lab.ask("attach")
    assert (attached.rc, lab.runs) == (0, 1), attached.stderr
    assert contents(lab.artifacts) == wanted


def test_in_the_archive(lab: Lab) -> None:
    """Killed inside of a big archive: `attach` goes on inside of it, and the artifacts are whole."""
    lab.grow_artifacts(6_000_000)
    lab.open()
    gateway = lab.gateway()
    hold = gateway.hold(b'"zipfile"', upwards=False, after=5_000_000)
    client = lab.start("run", "-q")
    assert hold.reached.wait(30)
    wait_until(lambda: lab.record["checkpoint"]["position"]["archive_received"] > 1_000_000, "a checkpoint")
    kill_at(client, hold)
    gateway.open()
    resumed_at = lab.record["checkpoint"]["position"]["offset"]
    requests = gateway.hold(f"work results {lab.record['unit_id']} {resumed_at}".encode(), upwards=True)
    attached = lab.start("attach")
    assert requests.reached.wait(30), "it does not go on from the checkpoint"
    wanted = lab.undisturbed(lab.record["unit_id"])
    requests.let_go.set()
    assert attached.wait(30) == 0
    assert contents(lab.artifacts) == wanted
    assert lab.runs == 1


def test_before_the_release(lab: Lab) -> None:
    """Killed between the end and the release: the outcome stays, and `jobs --prune` releases the unit."""
    lab.open()
    gateway = lab.gateway()
    kill_at(lab.start("run"), gateway.hold(b"work release", upwards=True))
    gateway.open()
    assert (lab.job()["status"], lab.job()["released"]) == ("successful", False)
    assert lab.ask("attach").rc == 0
    pruned = lab.commands.ours("jobs", lab.project.path, "--prune")
    assert pruned.rc == 0, pruned.stderr
    assert lab.control.units() == {}
    assert (lab.job()["status"], lab.job()["released"], lab.runs) == ("successful", True, 1)
