"""One sliced job on this machine: one output, one index, one exit code, and each slice a job of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from tests.harness import Gate, finish, wait_until
from tests.slices.conftest import Sliced

LOCAL_PLAY = "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - debug: msg=here\n"


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A gate that jobs wait at."""
    made = Gate(tmp_path / "gate")
    made.directory.mkdir()
    return made


def test_slices_share_the_hosts_and_make_one_recap(sliced: Sliced) -> None:
    """Each slice has its hosts and all groups; plays for localhost run in each; lines carry the node; one recap."""
    name = sliced.project.playbook("- debug: msg='{{ inventory_hostname }} of {{ groups.all | length }}'")
    play = (sliced.project.path / "project" / name).read_text()
    sliced.project.write(f"project/{name}", LOCAL_PLAY + play)
    done = sliced.run("--slices", "2")
    assert done.rc == 0, done.stderr
    assert sliced.column("hosts") == [["db1", "web2"], ["web1"]]
    assert (sliced.index()["status"], sliced.index()["rc"], sliced.column("rc")) == ("successful", 0, [0, 0])
    for number, own, foreign in ((1, "db1", "web1"), (2, "web1", "db1")):
        assert f"{own} of 3" in sliced.stdout(number)
        assert f"{foreign} of 3" not in sliced.stdout(number)
        assert '"msg": "here"' in sliced.stdout(number)
        assert f"[primary/{number}] ok: [{own}] => {{" in done.text
    recap = done.text.partition("PLAY RECAP OF ALL SLICES")[2].splitlines()[1:]
    assert [line.split()[0] for line in recap] == ["db1", "localhost", "web1", "web2"]
    assert "successful" in done.stderr
    assert (sliced.project.artifacts("job") / "status").read_text() == "successful"


@pytest.mark.slow
def test_more_slices_than_hosts_and_no_hosts(sliced: Sliced) -> None:
    """There is no slice without hosts, and none to be cut are an error; `--limit` counts before the cut."""
    sliced.project.playbook("- debug: msg=hello")
    done = sliced.run("--slices", "5", "--limit", "web", "--json")
    assert [entry["hosts"] for entry in json.loads(done.text)["slices"]] == [["web1"], ["web2"]]
    none = sliced.run("--slices", "2", "--limit", "nobody", ident="none")
    assert none.rc == 66
    assert "hosts" in none.stderr
    assert not sliced.project.artifacts("none").exists()


def test_a_failed_slice_runs_again_alone(sliced: Sliced, tmp_path: Path) -> None:
    """One slice fails, the others do not; its exit code counts; run again alone, it makes the sliced job good."""
    good = tmp_path / "good"
    sliced.project.playbook(f"- command: test -e {good}\n  when: inventory_hostname == 'web1'")
    failed = sliced.run("--node", "localhost", "--node", "localhost", "--output", "ndjson")
    assert failed.rc == 2
    assert sliced.column("status") == ["successful", "failed"]
    events = [json.loads(line) for line in failed.text.splitlines()]
    assert {(event["slice"], event["node"]) for event in events[:-1]} == {(1, "primary"), (2, "primary")}
    assert (events[-1]["hosts_failed"], events[-1]["exit_code"]) == (["web1"], 2)
    assert "--ident job --rerun-slice 2" in failed.stderr
    taken = sliced.run("--slices", "2")
    assert (taken.rc, "--rerun-slice" in taken.stderr) == (73, True)
    first = (sliced.project.artifacts("job-slice-1") / "unit.json").read_bytes()
    good.touch()
    again = sliced.run("--rerun-slice", "2")
    assert again.rc == 0, again.stderr
    assert (sliced.index()["status"], sliced.column("status")) == ("successful", ["successful"] * 2)
    assert (sliced.project.artifacts("job-slice-1") / "unit.json").read_bytes() == first
    assert sliced.run("--rerun-slice", "3").rc == 64


@pytest.mark.slow
def test_the_jobs_of_a_whole_are_one_row(sliced: Sliced) -> None:
    """`jobs` has one row, `--slices` a row for each slice; `attach` ends as the job did; `release` names each slice."""
    sliced.project.playbook("- command: 'false'\n  when: inventory_hostname == 'db1'")
    assert sliced.run("--slices", "2").rc == 2
    (row,) = json.loads(sliced.ask("jobs", "--json").text)["jobs"]
    assert (row["ident"], row["status"], row["hosts_failed"], len(row["slices"])) == ("job", "failed", 1, 2)
    rows = json.loads(sliced.ask("jobs", "--json", "--slices").text)["jobs"]
    assert [row["ident"] for row in rows] == ["job-slice-1", "job-slice-2"]
    assert sliced.ask("attach", "-i", "job").rc == 2
    assert sliced.commands.ours("attach", "-i", "job-slice-2").rc == 0
    assert sliced.ask("cancel", "-i", "job").text.count("has already ended") == 2
    assert sliced.ask("release", "-i", "job").text.splitlines() == [
        "job-slice-1: released",
        "job-slice-2: released",
    ]


@pytest.mark.parametrize("by", ["signal", "command"])
def test_a_cancel_stops_all_and_starts_no_more(sliced: Sliced, gate: Gate, by: str) -> None:
    """A Ctrl-C, or `cancel` elsewhere, cancels the slice that runs, and the one that waits never starts."""
    sliced.project.playbook(f"- shell: {json.dumps(gate.script)}")
    running = sliced.commands.start(
        "run", sliced.project.path, "-p", "test.yml", "-i", "job", "--slices", "3"
    )
    gate.await_job()
    if by == "signal":
        os.kill(running.pid, signal.SIGINT)
    else:
        assert sliced.ask("cancel", "-i", "job").text == "job-slice-1: canceled\n"
    done = finish(running)
    assert done.rc == (130 if by == "signal" else 254), done.stderr
    assert sliced.column("status") == ["canceled"] * 3
    assert sliced.column("unit")[1:] == [None, None]
    assert gate.runs == 1


@pytest.mark.slow
def test_a_second_interrupt_detaches(sliced: Sliced, gate: Gate) -> None:
    """While the first Ctrl-C cancels a job that does not end at once, the second ends the waiting for it."""
    sliced.project.playbook(f"""- shell: {json.dumps(f"trap '' INT TERM; {gate.script}")}""")
    running = sliced.commands.start(
        "run", sliced.project.path, "-p", "test.yml", "-i", "job", "--slices", "3"
    )
    gate.await_job()
    os.kill(running.pid, signal.SIGINT)
    wait_until((sliced.project.artifacts("job-slice-1") / "unit.cancel").exists, "the cancel")
    os.kill(running.pid, signal.SIGINT)
    done = finish(running)
    assert done.rc == 130, done.stderr
    assert "press again to detach" in done.stderr
    assert f"attach {sliced.project.path} -i job" in done.stderr
    sliced.ask("attach", "-i", "job")
    assert sliced.column("status")[0] == "canceled"
    assert gate.runs == 1


@pytest.mark.slow
def test_the_same_command_goes_on_after_a_kill(sliced: Sliced, gate: Gate) -> None:
    """After the client was killed, `attach` names what was never submitted, and the same command runs just that."""
    sliced.project.playbook(f"- shell: {json.dumps(gate.script)}\n  run_once: true")
    running = sliced.commands.start(
        "run", sliced.project.path, "-p", "test.yml", "-i", "job", "--slices", "2"
    )
    gate.await_job()
    running.kill()
    running.wait()
    (row,) = json.loads(sliced.ask("jobs", "--json").text)["jobs"]
    assert (row["status"], row["waiting"]) == ("0/2 ended", 1)
    attached = sliced.commands.start("attach", sliced.project.path, "-i", "job", "--wait-timeout", "1")
    left = finish(attached)
    assert left.rc == 75, left.stderr
    gate.open()
    missing = sliced.ask("attach", "-i", "job")
    assert (missing.rc, "never submitted: 2" in missing.stderr) == (69, True)
    (gate.directory / "open").unlink()
    resumed = sliced.commands.start(
        "run", sliced.project.path, "-p", "test.yml", "-i", "job", "--slices", "2"
    )
    lock = sliced.project.artifacts("job") / "unit.lock"
    wait_until(lambda: lock.read_text() == str(resumed.pid), "the sliced job is held")
    held = sliced.ask("attach", "-i", "job")
    assert (held.rc, "is held by another process" in held.stderr) == (73, True)
    gate.open()
    done = finish(resumed)
    assert done.rc == 0, done.stderr
    assert sliced.column("status") == ["successful"] * 2
    assert gate.runs == 2


@pytest.mark.slow
def test_an_interrupted_attach_leaves_all_running(sliced: Sliced, gate: Gate) -> None:
    """`attach` ends with the first Ctrl-C and leaves the slices running; another one fetches their results."""
    sliced.project.playbook(f"- shell: {json.dumps(gate.script)}\n  run_once: true")
    lanes = ["--node", "localhost", "--node", "localhost"]
    running = sliced.commands.start("run", sliced.project.path, "-p", "test.yml", "-i", "job", *lanes)
    wait_until(lambda: gate.runs == 2, "both slices are at the gate")
    running.kill()
    running.wait()
    attached = sliced.commands.start("attach", sliced.project.path, "-i", "job")
    lock = sliced.project.artifacts("job") / "unit.lock"
    wait_until(lambda: lock.read_text() == str(attached.pid), "the job is followed")
    wait_until(lambda: len(list(sliced.project.artifacts("job-slice-2").glob("unit.lock"))), "so is slice 2")
    os.kill(attached.pid, signal.SIGINT)
    left = finish(attached)
    assert (left.rc, "attach" in left.stderr) == (130, True), left.stderr
    assert sliced.column("status") == ["running"] * 2
    gate.open()
    assert sliced.ask("attach", "-i", "job").rc == 0
    assert sliced.column("status") == ["successful"] * 2


@pytest.mark.slow
def test_a_slice_that_got_no_unit_waits(sliced: Sliced) -> None:
    """A client that died between the record and the unit has submitted nothing: the same command runs the slice."""
    sliced.project.playbook("- debug: msg=hello")
    assert sliced.run("--slices", "2").rc == 0
    path = sliced.project.artifacts("job-slice-2") / "unit.json"
    intent = json.loads(path.read_bytes()) | {
        "stage": "intent",
        "unit_id": None,
        "outcome": None,
        "released": False,
    }
    path.write_text(json.dumps(intent))
    left = sliced.ask("attach", "-i", "job")
    assert (left.rc, "never submitted: 2" in left.stderr) == (69, True), left.stderr
    for name in ("status", "rc", "stdout"):  # that client would have left none
        (path.parent / name).unlink(missing_ok=True)
    shutil.rmtree(path.parent / "job_events")
    again = sliced.run("--slices", "2")
    assert again.rc == 0, again.stderr
    assert sliced.column("status") == ["successful"] * 2


@pytest.mark.slow
@pytest.mark.parametrize(("words", "is_compressed"), [((), True), (("--compression-level", "0"), False)])
def test_slices_are_compressed_as_asked_for(
    sliced: Sliced, words: tuple[str, ...], is_compressed: bool
) -> None:
    """The option counts for the one archive that all slices are sent."""
    sliced.project.playbook("- debug: msg=done")
    sliced.project.write("project/files/notes", "the same again\n" * 20_000)
    assert sliced.run("--slices", "1", *words).rc == 0
    record = json.loads((sliced.project.artifacts("job-slice-1") / "unit.json").read_bytes())
    assert (record["sent_bytes"] < 300_000) is is_compressed
