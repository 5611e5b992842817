"""The life of a submitted job, asked of a real node by separate processes."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING

import psutil
import pytest
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.nodes.locate import USUAL_SOCKETS
from receptor_runner.system.directories import state_directories
from tests.behaviour.conftest import TRANSPORTS
from tests.harness import Commands, Gate, contents, finish, kill_processes_of, processes_of, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.harness import Client, Project, ServedNode


@pytest.fixture
def gate(project: Project, tmp_path: Path) -> Iterator[Gate]:
    """A project whose playbook waits at a gate."""
    made = Gate(tmp_path / "gate")
    made.directory.mkdir()
    project.playbook(
        f"""
- debug: msg=before
- shell: {json.dumps(made.script)}
- debug: msg=after
"""
    )
    yield made
    made.open()
    kill_processes_of(made.directory)


def left(gate: Gate) -> list[psutil.Process]:
    """Return the processes of the gate's job that still run."""
    return processes_of(gate.directory)


@pytest.mark.parametrize("served", TRANSPORTS[1:], indirect=True)
def test_submit_returns_and_attach_follows(client: Client, gate: Gate) -> None:
    """`submit` returns while the job runs, naming ident, node and unit; `attach` brings everything home."""
    submitted = client.ask("submit", "-p", "test.yml", "-i", "job")
    assert submitted.rc == 0, submitted.stderr
    (unit,) = client.units() & {submitted.text.split()[-1]}
    assert submitted.text.split()[:2] == ["job", client.jobs()[0]["node"]]
    gate.await_job()
    (described,) = client.jobs()
    assert (described["ident"], described["active"], described["unit"]) == ("job", True, unit)
    gate.open()
    attached = client.ask("attach", "-i", "job")
    assert attached.rc == 0, attached.stderr
    assert "before" in attached.text
    assert "after" in attached.text
    assert (attached.read("rc"), attached.read("status")) == ("0", "successful")
    assert attached.text == attached.read("stdout")
    assert unit not in client.units()


def test_submit_says_json(client: Client, gate: Gate) -> None:
    """With `--json`, submit, attach and release each print one object with the job's state."""
    gate.open()
    submitted = json.loads(client.ask("submit", "-p", "test.yml", "-i", "job", "--json").text)
    assert (submitted["ident"], submitted["verdict"], submitted["active"]) == ("job", False, True)
    attached = client.ask("attach", "-i", "job", "--json")
    ended = json.loads(attached.text)
    assert (ended["status"], ended["rc"], ended["verdict"]) == ("successful", 0, True)
    assert (ended["unit"], ended["released"]) == (submitted["unit"], True)
    assert ended["events"] == len(attached.events())
    released = json.loads(client.ask("release", "-i", "job", "--json").text)
    assert released["released"] is True


def test_attach_again_says_the_same(client: Client, gate: Gate) -> None:
    """Attaching to an ended job exits as it did; attaching beside another is refused with 73."""
    client.ask("submit", "-p", "test.yml", "-i", "job")
    gate.await_job()
    first = client.start("attach", "-i", "job")
    client.await_holder(first)
    refused = client.ask("attach", "-i", "job")
    assert refused.rc == 73, refused.stderr
    gate.open()
    done = finish(first)
    assert done.rc == 0, done.stderr
    assert "after" in done.text
    kept = contents(client.project.artifacts("job"))
    again = client.ask("attach", "-i", "job")
    assert again.rc == 0, again.stderr
    assert contents(again.artifacts) == kept


def test_cancel_from_elsewhere(client: Client, gate: Gate) -> None:
    """A cancel from another process ends the job; whoever is attached exits 254 with all artifacts."""
    client.ask("submit", "-p", "test.yml", "-i", "job")
    gate.await_job()
    attached = client.start("attach", "-i", "job")
    client.await_holder(attached)
    canceled = client.ask("cancel", "-i", "job")
    assert canceled.rc == 0, canceled.stderr
    done = finish(attached)
    assert done.rc == 254, done.stderr
    assert "before" in done.text
    artifacts = client.project.artifacts("job")
    assert ((artifacts / "status").read_text(), (artifacts / "rc").read_text()) == ("canceled", "254")
    wait_until(lambda: not left(gate), "no process of the job is left")
    assert (client.jobs()[0]["status"], client.jobs()[0]["released"]) == ("canceled", True)


def test_release_stops_a_running_job(client: Client, gate: Gate) -> None:
    """Releasing a running job stops it, leaves no unit and no process, and is told by `jobs`."""
    client.ask("submit", "-p", "test.yml", "-i", "job")
    (described,) = client.jobs()
    gate.await_job()
    released = client.ask("release", "-i", "job")
    assert released.rc == 0, released.stderr
    wait_until(lambda: described["unit"] not in client.units(), "the unit is gone")
    wait_until(lambda: not left(gate), "no process of the job is left")
    (described,) = client.jobs()
    assert (described["status"], described["active"], described["released"]) == ("lost", False, True)


def test_run_of_an_active_ident_attaches(client: Client, gate: Gate) -> None:
    """`run` and `submit` of a job that is active already attach to it: it runs once."""
    client.ask("submit", "-p", "test.yml", "-i", "job")
    gate.await_job()
    (unit,) = [job["unit"] for job in client.jobs()]
    again = client.ask("submit", "-p", "test.yml", "-i", "job")
    assert (again.rc, again.text.split()[-1]) == (0, unit)
    gate.open()
    ran = client.ask("run", "-p", "test.yml", "-i", "job")
    assert ran.rc == 0, ran.stderr
    assert "after" in ran.text
    assert gate.runs == 1


def test_ended_ident_is_refused_and_rerun(client: Client, gate: Gate) -> None:
    """The ident of an ended job is refused with 73 and both ways on; `--rerun` runs it anew."""
    gate.open()
    assert client.ask("run", "-p", "test.yml", "-i", "job").rc == 0
    kept = contents(client.project.artifacts("job"))
    refused = client.ask("run", "-p", "test.yml", "-i", "job")
    assert refused.rc == 73
    assert "attach" in refused.stderr
    assert "--rerun" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) <= 3
    assert contents(refused.artifacts) == kept
    assert gate.runs == 1
    rerun = client.ask("run", "-p", "test.yml", "-i", "job", "--rerun")
    assert rerun.rc == 0, rerun.stderr
    assert gate.runs == 2
    assert [event["counter"] for event in rerun.events()] == list(range(1, len(rerun.events()) + 1))
    first_start = next(name for name in kept if name.startswith("job_events/1-"))
    assert first_start not in contents(rerun.artifacts)


@pytest.mark.parametrize("change", ["option", "file"])
def test_other_inputs_are_refused(client: Client, gate: Gate, change: str) -> None:
    """An active ident with other options or files is refused with 73, and the job goes on untouched."""
    client.ask("submit", "-p", "test.yml", "-i", "job")
    gate.await_job()
    if change == "file":
        client.project.write("project/another.yml", "{}\n")
    words = ["--limit", "localhost"] if change == "option" else []
    refused = client.ask("run", "-p", "test.yml", "-i", "job", *words)
    assert refused.rc == 73, refused.stderr
    assert "differ" in refused.stderr
    gate.open()
    assert client.ask("attach", "-i", "job").rc == 0
    assert gate.runs == 1


def test_killed_client_loses_nothing(
    client: Client, served: ServedNode, gate: Gate, make_project: Callable[[str], Project]
) -> None:
    """After a kill -9 of the client, `attach` ends with artifacts byte for byte as the worker sent them."""
    running = client.start("run", "-p", "test.yml", "-i", "job")
    gate.await_job()
    artifacts = client.project.artifacts("job")
    wait_until(lambda: b"before" in (artifacts / "stdout").read_bytes(), "the first output is here")
    running.send_signal(signal.SIGKILL)
    running.wait(10)
    gate.open()
    (unit,) = [job["unit"] for job in client.jobs()]
    control = Control(str(client.socket))
    wait_until(lambda: control.unit_status(unit).state.is_complete, "the unit is complete")
    (sent,) = served.datadir.glob(f"*/{unit}/stdout")
    undisturbed = make_project("undisturbed")
    process = Commands(client.commands.environment, undisturbed.path.parent).ours(
        "process", undisturbed.path, "-i", "job", stdin=sent.read_bytes()
    )
    attached = client.ask("attach", "-i", "job")
    assert (attached.rc, process.rc) == (0, 0), attached.stderr
    assert contents(attached.artifacts) == contents(undisturbed.artifacts("job"))
    assert gate.runs == 1
    assert unit not in client.units()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_cancels(client: Client, gate: Gate, number: signal.Signals) -> None:
    """Ctrl-C or SIGTERM on `run` cancels the job: exit 130 or 143, status canceled, nothing left on the node."""
    running = client.start("run", "-p", "test.yml", "-i", "job")
    gate.await_job()
    running.send_signal(number)
    done = finish(running)
    assert done.rc == 128 + number, done.stderr
    artifacts = client.project.artifacts("job")
    assert ((artifacts / "status").read_text(), (artifacts / "rc").read_text()) == ("canceled", "254")
    wait_until(lambda: not left(gate), "no process of the job is left")
    (described,) = client.jobs()
    assert described["unit"] not in client.units()
    assert (described["status"], described["verdict"]) == ("canceled", True)


@pytest.mark.slow
def test_second_interrupt_detaches(client: Client, gate: Gate) -> None:
    """A second Ctrl-C detaches at once and says how to attach; the worker still ends."""
    client.project.playbook(
        "- command: sh -c 'trap \"\" INT TERM; touch X/waiting; sleep 4'".replace("X", str(gate.directory))
    )
    running = client.start("run", "-p", "test.yml", "-i", "job")
    gate.await_job()
    running.send_signal(signal.SIGINT)
    wait_until(lambda: running.poll() is not None or b"canceling" in peek(running), "the cancel is told")
    running.send_signal(signal.SIGINT)
    done = finish(running)
    assert done.rc == 130
    assert "receptor-runner attach" in done.stderr or "canceled" in done.stderr
    attached = client.ask("attach", "-i", "job")
    assert attached.rc == 254, attached.stderr
    wait_until(lambda: not left(gate), "no process of the job is left")


def peek(process: subprocess.Popen[bytes]) -> bytes:
    """Return the next line of a process's stderr."""
    assert process.stderr is not None
    return process.stderr.readline()


@pytest.mark.parametrize("play", ["test.yml", "absent.yml"])
def test_peer_worker_at_the_other_end(client: Client, gate: Gate, play: str) -> None:
    """`run` works just as well with ansible-runner's worker on the node."""
    gate.open()
    ran = client.ask("run", "-p", play, "-i", "job", "--work-type", "ansible-runner")
    wanted = (0, "successful") if play == "test.yml" else (1, "failed")
    assert (ran.rc, ran.read("status")) == wanted, ran.stderr
    assert [event["counter"] for event in ran.events()] == list(range(1, len(ran.events()) + 1))
    assert ("after" in ran.text) == (play == "test.yml")


def test_embedded_node_is_the_default(environment: dict[str, str], project: Project) -> None:
    """Where no node is named and none exists, each job gets an embedded node of its own, which goes with its unit."""
    if any(path.exists() for path in USUAL_SOCKETS):
        pytest.skip("a Receptor node serves one of the usual sockets on this machine")
    commands = Commands(environment, project.path.parent)
    first = commands.ours("run", project.path, "-p", "test.yml", "-i", "1")
    second = commands.ours("run", project.path, "-p", "test.yml", "-i", "2")
    assert (first.rc, second.rc) == (0, 0), first.stderr + second.stderr
    for told in (first, second):
        assert "embedded node" in told.stderr
    state = next(state_directories(environment))
    wait_until(lambda: not list(state.iterdir()), "nothing is left of the nodes")
    wait_until(lambda: not processes_of(state), "the nodes have ended")


def test_dead_socket_is_no_reason_to_substitute(
    environment: dict[str, str], project: Project, served: ServedNode
) -> None:
    """A socket that was named and does not answer is exit 69, and so is an unknown node or work type."""
    commands = Commands(environment, project.path.parent)
    dead = project.path.parent / "dead.sock"
    quickly = ["--retry-deadline", "1"]
    for words in (
        ["--socket", str(dead)],
        ["--socket", str(served.socket), "--node", "nowhere"],
        ["--socket", str(served.socket), "--work-type", "receptor-runer"],
    ):
        refused = commands.ours("run", project.path, "-p", "test.yml", *words, *quickly)
        assert refused.rc == 69, refused.stderr
        assert "error: " in refused.stderr
        assert len(refused.stderr.partition("error: ")[2].strip().splitlines()) <= 3, refused.stderr
        assert not (project.path / "artifacts").exists()
