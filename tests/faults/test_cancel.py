"""A cancel, from wherever it comes, ends the job, and its final status comes home."""

from __future__ import annotations

import json
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from receptor_runner.outcome import Status
from receptor_runner.receptor.jobs.follow import Following, follow
from receptor_runner.receptor.jobs.follow_policy import FollowPolicy
from receptor_runner.receptor.nodes.destination import Destination
from tests.faults.conftest import Lab
from tests.harness import BIN, finish, wait_until


def check_canceled(lab: Lab) -> None:
    """Check that the job is canceled, its artifacts say so, and nothing of it lives."""
    assert (lab.artifacts / "status").read_text() == "canceled"
    assert (lab.job()["status"], lab.job()["rc"]) == ("canceled", 254)
    wait_until(lambda: not lab.processes(), "nothing of the job lives", 15)


def test_from_another_terminal(lab: Lab) -> None:
    """`cancel` from another process: the follower exits 254 with the worker's final status, and names that process."""
    client = lab.start("run")
    lab.await_output()
    assert lab.ask("cancel").rc == 0
    ran = finish(client)
    assert ran.rc == 254, ran.stderr
    assert "canceled: by receptor-runner (process" in ran.stderr
    check_canceled(lab)
    assert not (lab.artifacts / "unit.cancel").exists()
    assert (lab.artifacts / "rc").read_text() == "254"


def test_by_receptorctl(lab: Lab) -> None:
    """`receptorctl work cancel` is seen the same way."""
    client = lab.start("run")
    lab.await_output()
    ctl = [BIN / "receptorctl", "--socket", lab.node.socket, "work", "cancel", lab.record["unit_id"]]
    assert lab.commands.run(*ctl).rc == 0
    assert finish(client).rc == 254
    check_canceled(lab)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_by_a_signal(lab: Lab, number: signal.Signals) -> None:
    """Ctrl-C or SIGTERM to the client cancels the job and waits for its final status."""
    client = lab.start("run")
    lab.await_output()
    client.send_signal(number)
    assert finish(client).rc == 128 + number
    check_canceled(lab)
    assert lab.job()["released"]


@pytest.mark.slow
def test_twice_detaches(lab: Lab) -> None:
    """A second Ctrl-C detaches and prints how to attach; the cancel goes on."""
    client = lab.start("run", work_type="stubborn")
    lab.await_output()
    client.send_signal(signal.SIGINT)
    assert client.stderr
    while b"canceling" not in client.stderr.readline():
        pass
    client.send_signal(signal.SIGINT)
    detached = finish(client, 20)
    assert detached.rc == 130, detached.stderr
    assert f"receptor-runner attach {lab.project.path} -i job" in detached.stderr
    attached = lab.ask("attach", "--cancel-timeout", "1")
    assert attached.rc == 254, attached.stderr
    assert "another client" not in attached.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_attach_detaches(lab: Lab, number: signal.Signals) -> None:
    """A signal to `attach` detaches at once and says how to stop the job, which goes on."""
    assert lab.ask("submit").rc == 0
    attached = lab.start("attach")
    lab.await_output()
    attached.send_signal(number)
    detached = finish(attached, 20)
    assert detached.rc == 128 + number, detached.stderr
    assert "the job goes on" in detached.stderr
    assert f"receptor-runner cancel {lab.project.path} -i job" in detached.stderr
    lab.open()
    assert lab.ask("attach").rc == 0
    assert lab.runs == 1


def test_attach_cancels_if_told_so(lab: Lab) -> None:
    """With --cancel-on-interrupt Ctrl-C cancels the job, as in `run`."""
    assert lab.ask("submit").rc == 0
    attached = lab.start("attach", "--cancel-on-interrupt")
    lab.await_output()
    attached.send_signal(signal.SIGINT)
    assert finish(attached).rc == 130
    check_canceled(lab)


@pytest.mark.slow
def test_a_worker_that_ignores_it(lab: Lab) -> None:
    """A worker that ignores SIGINT is killed after ten seconds, and is canceled without a final status too."""
    client = lab.start("run", "--cancel-timeout", "1", work_type="stubborn")
    lab.await_output()
    assert lab.ask("cancel").rc == 0
    ran = finish(client)
    assert ran.rc == 254, ran.stderr
    assert "without a final status" in ran.stderr
    check_canceled(lab)


def test_without_a_last_word(lab: Lab) -> None:
    """A canceled unit whose worker dies of it ends after the silence that the policy allows."""
    assert lab.ask("submit", work_type="silent").rc == 0
    lab.await_job()
    lab.control.cancel(lab.record["unit_id"])
    policy = FollowPolicy(cancel_timeout_s=0.5)
    where = Destination(socket=lab.socket)
    outcome = follow(lab.project.path, "job", where, Following(policy=policy))
    assert (outcome.status, outcome.rc) == (Status.CANCELED, 254)
    assert "without a final status" in str(outcome.explanation)
    check_canceled(lab)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_upload(lab: Lab, number: signal.Signals) -> None:
    """A signal during the upload removes the unit before it can start; the same command runs the job later."""
    client, gateway = lab.start_stuck_upload()
    client.send_signal(number)
    stopped = finish(client, 20)
    gateway.open()
    assert stopped.rc == 128 + number, stopped.stderr
    assert "nothing of the job has run" in stopped.stderr
    assert not lab.artifacts.exists()
    assert lab.control.units() == {}
    lab.open()
    assert lab.ask("run").rc == 0
    assert lab.runs == 1


@pytest.mark.slow
def test_during_the_upload_from_elsewhere(lab: Lab) -> None:
    """A cancel while another process uploads: the job does not run to its end, and its client is told."""
    client, gateway = lab.start_stuck_upload()
    answered = gateway.hold(b'"cancelled"', upwards=False)
    with ThreadPoolExecutor() as pool:
        canceling = pool.submit(lab.ask, "cancel")
        assert answered.reached.wait(30)
        gateway.open()
        ran = finish(client)
        assert canceling.result().rc == 0, canceling.result().stderr
    assert ran.rc == 254, ran.stderr
    assert "cancel" in ran.stderr
    assert lab.job()["status"] == "canceled"
    assert lab.runs <= 1
    assert "after" not in ran.text
    wait_until(lambda: not lab.processes(), "nothing of the job lives", 15)


def test_a_job_that_has_ended(lab: Lab) -> None:
    """A cancel that comes too late says so, and changes nothing."""
    lab.open()
    assert lab.ask("run").rc == 0
    late = lab.ask("cancel")
    assert (late.rc, late.text) == (0, "job: has already ended (successful)\n")
    told = json.loads(lab.ask("cancel", "--json").text)
    assert (told["status"], told["canceled"]) == ("successful", False)
    assert lab.job()["status"] == "successful"


def test_released_behind_our_back(lab: Lab) -> None:
    """A unit that somebody releases: whoever follows it ends, and says what became of it."""
    client = lab.start("run")
    lab.await_output()
    lab.control.release(lab.record["unit_id"])
    ran = finish(client)
    assert ran.rc in {75, 254}, ran.stderr
    assert lab.record["unit_id"] in ran.stderr
    assert not lab.job()["active"]
    wait_until(lambda: not lab.processes(), "nothing of the job lives", 15)


def test_release_of_a_running_job(lab: Lab) -> None:
    """`release` stops a running job and leaves neither unit nor process; beside a follower it is refused."""
    client = lab.start("run")
    lab.await_output()
    assert lab.ask("release").rc == 73
    client.kill()
    client.wait(10)
    released = lab.ask("release")
    assert released.rc == 0, released.stderr
    assert lab.control.units() == {}
    wait_until(lambda: not lab.processes(), "nothing of the job lives", 15)
    assert (lab.job()["status"], lab.record["stage"]) == ("canceled", "released")
    attached = lab.ask("attach")
    assert attached.rc == 254, attached.stderr
    assert "its unit was released" in attached.stderr


def test_release_before_the_results(lab: Lab) -> None:
    """A job whose results are released unread is lost; nobody is told that it may still run."""
    assert lab.ask("submit").rc == 0
    lab.await_job()
    lab.open()
    unit = lab.record["unit_id"]
    wait_until(lambda: lab.control.unit_status(unit).state.is_complete, "the unit has ended")
    assert lab.ask("release").rc == 0
    attached = lab.ask("attach")
    assert attached.rc == 75, attached.stderr
    assert "released before its results were fetched (it was Succeeded" in attached.stderr
    assert "still be running" not in attached.stderr
    assert "--rerun" in attached.stderr
