"""What others see of a job: a second follower, `jobs --watch`, the status file, structured logs."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.faults.conftest import Lab
from tests.harness import finish, wait_until

DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"


def test_two_followers(lab: Lab) -> None:
    """A second follower is refused with 73 and told who follows; the first is not disturbed."""
    client = lab.start("run")
    lab.await_output()
    refused = lab.ask("attach")
    assert refused.rc == 73, refused.stderr
    assert str(client.pid) in refused.stderr
    assert lab.ask("run").rc == 73
    lab.open()
    assert finish(client).rc == 0
    assert lab.runs == 1


def test_jobs_watch(lab: Lab) -> None:
    """`jobs --watch` shows a job until its end, and then ends itself."""
    client = lab.start("run")
    lab.await_output()
    watcher = lab.commands.start("jobs", str(lab.project.path), "--watch", "--interval", "0.1", "--json")
    assert watcher.stdout
    first = json.loads(watcher.stdout.readline())["jobs"][0]
    assert (first["ident"], first["active"]) == ("job", True)
    lab.open()
    assert finish(client).rc == 0
    watched = finish(watcher)
    assert watched.rc == 0, watched.stderr
    last = json.loads(watched.text.splitlines()[-1])["jobs"][0]
    assert (last["status"], last["active"]) == ("successful", False)


def test_the_status_file(lab: Lab) -> None:
    """`unit.json` is whole at every moment, moves on while the job runs, and has the keys that are documented."""
    client = lab.start("run")
    lab.await_output()
    wait_until(lambda: lab.record["checkpoint"]["status"] == "running", "the status file says so")
    running = lab.record
    documented = set(re.findall(r"^\| `([a-z_]+)` \|", DOCUMENT.read_text(), re.MULTILINE))
    assert set(running) == documented
    assert running["stage"] == "started"
    lab.open()
    seen = []
    while client.poll() is None:
        seen.append(lab.record["stage"])
    assert set(seen) <= {"started", "ended"}
    ended = lab.record
    assert (ended["stage"], ended["released"]) == ("ended", True)
    assert ended["outcome"] == {"status": "successful", "rc": 0, "explanation": None, "warnings": []}
    assert ended["updated"] > running["updated"]


def test_structured_logs(lab: Lab) -> None:
    """With `--log-format json` every line on stderr is one object with time, level, logger and message."""
    lab.open()
    ran = lab.commands.ours("--log-format", "json", *lab.words("run", work_type="noisy"))
    assert ran.rc == 0, ran.stderr
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert any("clock skew" in line["message"] for line in lines)
    assert any("on node `primary`" in line["message"] or "embedded node" in line["message"] for line in lines)
    assert all(set(line) >= {"time", "level", "logger", "message"} for line in lines)
    again = lab.commands.ours("--log-format", "json", *lab.words("run"))
    assert again.rc == 73
    error = json.loads(again.stderr.splitlines()[-1])
    assert (error["level"], error["exit_code"]) == ("error", 73)
    assert "belongs to a job that has ended" in error["message"]
    assert "attach" in error["hint"]


def test_keep(lab: Lab) -> None:
    """With `--keep` the unit of a job that failed stays for a look, and `release` removes it."""
    ran = lab.ask("run", "--keep", work_type="garbage")
    assert ran.rc == 65
    assert list(lab.control.units()) == [lab.record["unit_id"]]
    assert not lab.job()["released"]
    assert lab.ask("release").rc == 0
    assert lab.control.units() == {}


def test_jobs_asks_the_nodes(lab: Lab) -> None:
    """A job that nobody follows is shown as its node reports it, and `--watch` ends once it has ended there."""
    assert lab.ask("submit").rc == 0
    lab.await_job()
    wait_until(lambda: lab.job()["status"] == "running", "the job runs")
    assert lab.job()["unit_state"] == "Running"
    lab.open()
    watched = lab.commands.ours("jobs", lab.project.path, "--watch", "--interval", "0.1", timeout_s=30)
    assert watched.rc == 0, watched.stderr
    assert "succeeded" in watched.text.splitlines()[-1]
    assert f"receptor-runner attach {lab.project.path} --all" in watched.stderr
    (recorded,) = lab.jobs("--offline")
    assert (recorded["status"], recorded["active"], recorded["unit_state"]) == ("started", True, None)
    assert lab.ask("attach").rc == 0
    assert (lab.job()["status"], lab.job()["unit_state"]) == ("successful", None)


def test_jobs_with_a_node_that_does_not_answer(lab: Lab) -> None:
    """A node that is gone holds the list for seconds at most; its jobs are shown as recorded, with the reason."""
    assert lab.ask("submit").rc == 0
    lab.await_job()
    lab.node.kill()
    listed = lab.commands.ours("jobs", lab.project.path, timeout_s=20)
    assert listed.rc == 0, listed.stderr
    assert "started" in listed.text
    assert "shown as recorded: no node at" in listed.stderr
    lab.node.start()
    lab.open()
    assert lab.ask("attach").rc == 0


def test_jobs_after_a_foreign_release(lab: Lab) -> None:
    """A job whose unit somebody else released is shown as lost, and is not waited for."""
    assert lab.ask("submit").rc == 0
    lab.await_job()
    lab.control.release(lab.record["unit_id"])
    wait_until(lambda: lab.job()["status"] == "lost", "the unit is gone")
    assert not lab.job()["active"]


def test_a_damaged_record_is_named_once(lab: Lab) -> None:
    """A record that cannot be read is named in one warning, whatever is pruned."""
    lab.project.write("artifacts/broken/unit.json", "{")
    pruned = lab.commands.ours("jobs", lab.project.path, "--orphans", "--prune", "--socket", lab.socket)
    assert pruned.rc == 0, pruned.stderr
    assert pruned.stderr.count("broken/unit.json") == 1
    (lab.project.path / "artifacts/broken/unit.json").unlink()
