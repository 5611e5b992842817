"""The node dies, stops, is silent or away: deadlines hold, nothing runs twice, and results go on where they stopped."""

from __future__ import annotations

import json
import signal
import subprocess

import psutil
import pytest
from receptor_runner.errors import ContactLost, Unreachable
from receptor_runner.receptor.control.protocol import Control, Deadlines
from receptor_runner.receptor.control.retry import RetryPolicy
from receptor_runner.receptor.jobs.follow import Following, follow
from receptor_runner.receptor.nodes.destination import Destination
from tests.faults.conftest import Lab
from tests.harness import contents, finish, wait_until

QUICK = ("--retry-deadline", "2")


def test_killed_during_the_upload(lab: Lab) -> None:
    """A node that is killed during the upload: exit 69, nothing ran, and the same command runs the job once."""
    client, gateway = lab.start_stuck_upload(*QUICK)
    lab.node.kill()
    broken = finish(client)
    gateway.open()
    assert broken.rc == 69, broken.stderr
    lab.node.start()
    assert lab.record["stage"] == "aborted"
    assert lab.ask("attach").rc == 76
    lab.open()
    again = lab.ask("run")
    assert again.rc == 0, again.stderr
    assert lab.runs == 1
    assert lab.control.units() == {}


def test_an_aborted_upload_is_pruned(lab: Lab) -> None:
    """What a node that was killed during the upload leaves is listed and removed by `jobs --prune`."""
    client, gateway = lab.start_stuck_upload(*QUICK)
    lab.node.kill()
    finish(client)
    gateway.open()
    lab.node.start()
    wait_until(lambda: len(lab.control.units()) == 1, "the node has found its unit")
    pruned = lab.commands.ours("jobs", lab.project.path, "--prune")
    assert "removed" in pruned.text
    assert lab.control.units() == {}
    assert lab.runs == 0


def test_killed_before_the_reply(lab: Lab) -> None:
    """A node that is killed before its word: exit 75 with the way back; `attach` then finds what came of it."""
    gateway = lab.gateway()
    hold = gateway.hold(b"Job Started", upwards=False)
    client = lab.start("run", *QUICK)
    assert hold.reached.wait(30)
    lab.node.kill()
    lost = finish(client)
    gateway.open()
    assert lost.rc == 75, lost.stderr
    assert "receptor-runner attach" in lost.stderr
    lab.node.start()
    lab.open()
    attached = lab.ask("attach")
    assert attached.rc == 0, attached.stderr
    assert lab.runs == 1


def await_retries(client: subprocess.Popen[bytes]) -> None:
    """Wait until a client says that it tries to reach its node again."""
    assert client.stderr
    while b"trying again" not in (line := client.stderr.readline()):
        assert line, "the client has ended"


def test_killed_during_the_results(lab: Lab) -> None:
    """A node that is killed and comes back: the client goes on by itself, and the artifacts are whole."""
    client = lab.start("run")
    lab.await_output()
    lab.node.kill()
    await_retries(client)
    lab.open()
    wanted = lab.undisturbed(lab.record["unit_id"])
    lab.node.start()
    ran = finish(client)
    assert ran.rc == 0, ran.stderr
    assert lab.runs == 1
    assert contents(lab.artifacts) == wanted


@pytest.mark.slow
def test_killed_and_away(lab: Lab) -> None:
    """A node that stays away: exit 75 within the deadline, the way back, and `attach` completes later."""
    client = lab.start("run", *QUICK)
    lab.await_output()
    lab.node.kill()
    lost = finish(client)
    assert lost.rc == 75, lost.stderr
    assert f"receptor-runner attach {lab.project.path} -i job" in lost.stderr
    assert lab.job()["active"]
    lab.node.start()
    lab.open()
    attached = lab.ask("attach")
    assert attached.rc == 0, attached.stderr
    assert lab.runs == 1


def test_the_destination_owns_the_retries(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The retry policy of the destination, by default that of the environment, holds for the following too."""
    assert lab.ask("submit").rc == 0
    lab.await_job()
    lab.node.kill()
    monkeypatch.setenv("RECEPTOR_RUNNER_RETRY_DEADLINE", "0.3")
    for where in (Destination(retry=RetryPolicy(deadline_s=0.2)), Destination()):
        with pytest.raises(ContactLost):
            follow(lab.project.path, "job", where, Following())
    assert "trying again for 0.2 s" in caplog.text
    assert "trying again for 0.3 s" in caplog.text
    lab.node.start()
    lab.open()
    assert lab.ask("attach").rc == 0


def test_interrupt_ends_a_wait_for_the_node(lab: Lab) -> None:
    """Ctrl-C while the node is waited for ends the wait at once, with 130 and the way back."""
    client = lab.start("run", "--retry-deadline", "600", "--retry-max-wait", "600")
    lab.await_output()
    lab.node.kill()
    await_retries(client)
    client.send_signal(signal.SIGINT)
    stopped = finish(client, 10)
    assert stopped.rc == 130, stopped.stderr
    assert "receptor-runner attach" in stopped.stderr
    lab.node.start()
    assert lab.ask("cancel").rc == 0
    assert lab.ask("attach").rc == 254


def test_interrupt_ends_a_wait_before_the_submit(lab: Lab) -> None:
    """Ctrl-C while a node is waited for before anything was submitted: 130 at once, and nothing is left."""
    lab.node.kill()
    client = lab.start("run", "--retry-deadline", "600", "--retry-max-wait", "600")
    await_retries(client)
    client.send_signal(signal.SIGINT)
    assert finish(client, 10).rc == 130
    assert not lab.artifacts.exists()


def test_stopped_and_continued(lab: Lab) -> None:
    """A node that is stopped (SIGSTOP) holds nobody for ever; once it goes on, so does the client."""
    client = lab.start("run", *QUICK)
    lab.await_output()
    assert lab.node.process
    daemon = psutil.Process(lab.node.process.pid)
    daemon.suspend()
    control = Control(str(lab.node.socket), deadlines=Deadlines(connect_s=0.3, reply_s=0.3))
    with pytest.raises(Unreachable, match="does not answer"):
        control.status()
    daemon.resume()
    lab.open()
    ran = finish(client)
    assert ran.rc == 0, ran.stderr
    assert lab.runs == 1


@pytest.mark.slow
def test_a_socket_that_does_not_answer(lab: Lab) -> None:
    """A socket that takes connections and never says a word: exit 69 within the deadlines, nothing submitted."""
    gateway = lab.gateway()
    gateway.hold(b"Receptor Control", upwards=False)
    refused = lab.ask("run", "--retry-deadline", "0", timeout_s=30)
    assert refused.rc == 69, refused.stderr
    assert "does not answer" in refused.stderr
    assert not lab.artifacts.exists()


def test_a_socket_that_appears(lab: Lab) -> None:
    """A node that comes up within the retry deadline is used; one line says why it is waited for, and for how long."""
    lab.node.kill()
    lab.node.socket.unlink(missing_ok=True)
    lab.open()
    client = lab.commands.start("--log-format", "json", *lab.words("run"))
    assert client.stderr
    first = json.loads(client.stderr.readline())
    assert first["level"] == "warning"
    assert "the socket does not exist" in first["message"]
    assert "trying again" in first["message"]
    lab.node.start()
    ran = finish(client)
    assert ran.rc == 0, ran.stderr
    assert lab.runs == 1


def test_a_typo_in_the_socket(lab: Lab) -> None:
    """A socket that does not exist is waited for briefly, with one warning, and the error names cause and remedy."""
    refused = lab.commands.ours(*lab.words("run")[:-1], f"{lab.socket}x", timeout_s=20)
    assert refused.rc == 69, refused.stderr
    warning, error, cause, hint = refused.stderr.splitlines()
    assert "trying again for 3 s" in warning
    assert (error, cause) == (f"error: no node at {lab.socket}x", "  cause: the socket does not exist")
    assert hint.endswith("receptor-runner config show --sources")
    assert not lab.artifacts.exists()


def test_permanent_errors_are_never_retried(lab: Lab) -> None:
    """An unknown work type, an unknown node and an unknown unit end at once, without a retry."""
    for words in (("--work-type", "receptor-runer"), ("--node", "nowhere")):
        refused = lab.ask("run", *words, "--retry-deadline", "600", timeout_s=20)
        assert refused.rc == 69, refused.stderr
        assert "trying again" not in refused.stderr
    lab.ask("submit")
    lab.control.release(lab.record["unit_id"])
    canceled = lab.ask("cancel", "--retry-deadline", "600", timeout_s=20)
    assert canceled.rc == 69, canceled.stderr
    assert "trying again" not in canceled.stderr


def test_pending_at_restart(lab: Lab) -> None:
    """A unit that waited for its start when its node died never runs, and its client is told."""
    client, gateway = lab.start_stuck_upload(*QUICK)
    client.kill()
    lab.node.kill()
    lab.node.start()
    gateway.open()
    attached = lab.ask("attach")
    assert attached.rc == 69, attached.stderr
    assert "nothing of the job `job` has run" in attached.stderr
    assert lab.runs == 0


@pytest.mark.slow
def test_gone_for_good(lab: Lab) -> None:
    """A node that is gone for good: its jobs are kept until `--force` gives them up."""
    lab.ask("submit")
    lab.await_job()
    lab.open()
    unit = lab.record["unit_id"]
    wait_until(lambda: lab.control.unit_status(unit).state.is_complete, "the unit has ended")
    lab.node.kill()
    kept = lab.commands.ours("jobs", lab.project.path, "--prune", "--retry-deadline", "0")
    assert kept.rc == 0, kept.stderr
    assert lab.job()["active"]
    given_up = lab.commands.ours("jobs", lab.project.path, "--prune", "--force")
    assert "given up" in given_up.text
    assert "its node is gone" in given_up.text
    assert (lab.job()["status"], lab.job()["active"], lab.job()["released"]) == ("lost", False, False)
    assert lab.ask("release", "--force", "--retry-deadline", "0").rc == 69
    lab.node.start()
    assert set(lab.control.units()) == {unit}
    assert "removed" in lab.commands.ours("jobs", lab.project.path, "--prune").text
    assert lab.control.units() == {}
    assert lab.job()["released"]


def test_whole_tree_killed(lab: Lab) -> None:
    """Client, node, command runner and worker killed at once: the job ran once, and its end is named."""
    client = lab.start("run", "--results-timeout", "2", "--runner-timeout", "2")
    lab.await_output()
    unit = lab.record["unit_id"]
    victims = [lab.runner_of(unit), lab.worker_of(unit)]
    lab.node.kill()
    for victim in [*victims, psutil.Process(client.pid)]:
        victim.kill()
    client.wait(10)
    lab.node.start()
    lab.open()
    attached = lab.ask("attach", "--runner-timeout", "2", "--results-timeout", "2")
    assert attached.rc in {65, 75}, attached.stderr
    assert unit in attached.stderr
    assert lab.runs == 1


@pytest.mark.slow
def test_a_stopped_node_during_the_upload(lab: Lab) -> None:
    """A node that is stopped during the upload and goes on later runs nothing of it."""
    client, gateway = lab.start_stuck_upload(*QUICK)
    assert lab.node.process
    daemon = psutil.Process(lab.node.process.pid)
    daemon.suspend()
    client.send_signal(signal.SIGTERM)
    stopped = finish(client, 45)
    daemon.resume()
    assert stopped.rc == 143, stopped.stderr
    assert "nothing of the job has run" in stopped.stderr
    gateway.open()
    lab.open()
    assert lab.ask("run").rc == 0
    assert lab.runs == 1
