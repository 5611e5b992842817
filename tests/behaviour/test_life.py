"""The life of a submitted job, asked of a real node by separate processes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from receptor_runner.receptor.nodes.locate import USUAL_SOCKETS
from receptor_runner.system.directories import NODE_PREFIX, state_directories
from tests.behaviour.conftest import TRANSPORTS
from tests.harness import Commands, Gate, contents, finish, kill_processes_of, processes_of, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness import Client, Project


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


@pytest.mark.slow
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


@pytest.mark.parametrize("play", ["test.yml", "/absent.yml"])
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
    wait_until(lambda: not list(state.glob(f"{NODE_PREFIX}*")), "nothing is left of the nodes")
    wait_until(lambda: not processes_of(state), "the nodes have ended")
