"""The demo, run as `make demo` runs it, in a checkout of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.harness import Commands

ROOT = Path(__file__).parents[1]


@pytest.fixture
def checkout(environment: dict[str, str], tmp_path: Path) -> Path:
    """A repository that holds the demo and the ignore rules."""
    directory = tmp_path / "checkout"
    shutil.copytree(ROOT / "scripts/demo_project", directory / "scripts/demo_project")
    shutil.copy(ROOT / "scripts/demo", directory / "scripts/demo")
    shutil.copy(ROOT / ".gitignore", directory)
    git(directory, environment, "init", "--quiet")
    git(directory, environment, "add", ".")
    return directory


def git(directory: Path, environment: dict[str, str], *words: str) -> str:
    """Run git in a directory; return what it printed."""
    return subprocess.run(
        ["git", *words], cwd=directory, env=environment, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.slow
def test_demo_runs_twice_and_leaves_the_checkout_clean(environment: dict[str, str], checkout: Path) -> None:
    """The demo succeeds, shows its events and what the artifacts say, can be repeated, and dirties nothing."""
    tracked = git(checkout, environment, "status", "--porcelain")
    for _ in range(2):
        done = Commands(environment, checkout).run("scripts/demo")
        assert done.rc == 0, done.text + done.stderr
        assert "embedded node" in done.stderr
        assert "PLAY RECAP" in done.text
        assert "rescued 1" in done.text
        assert "Its artifacts are in demo/artifacts/demo/" in done.text
        check_that_all_is_shown(checkout / "demo/artifacts/demo")
    assert git(checkout, environment, "status", "--porcelain") == tracked


def check_that_all_is_shown(artifacts: Path) -> None:
    """Check that the job had several plays, a role, a template, a loop, a handler, a rescued failure and facts."""
    events = [json.loads(path.read_bytes()) for path in (artifacts / "job_events").iterdir()]
    kinds = [event["event"] for event in events]
    assert kinds.count("playbook_on_play_start") == 4
    for kind in ("runner_item_on_ok", "playbook_on_notify", "runner_on_failed", "playbook_on_stats"):
        assert kind in kinds
    data = [event["event_data"] for event in events if "event_data" in event]
    assert {entry.get("role") for entry in data} == {None, "web"}
    assert "ansible.builtin.template" in {entry.get("resolved_action") for entry in data}
    assert len(list((artifacts / "fact_cache").iterdir())) == 3
    assert sorted(event["counter"] for event in events) == list(range(1, len(events) + 1))


def test_demo_exits_with_the_jobs_code(environment: dict[str, str], checkout: Path) -> None:
    """When the demo's job fails, so does the demo, with the same code, and still tells of the artifacts."""
    failing = "- hosts: all\n  gather_facts: false\n  tasks: [{fail: {msg: no luck}}]\n"
    (checkout / "scripts/demo_project/project/site.yml").write_text(failing)
    done = Commands(environment, checkout).run("scripts/demo")
    assert done.rc == 2, done.text + done.stderr
    assert "status, rc   failed, 2" in done.text


def test_demo_uses_the_node_that_is_named(environment: dict[str, str], checkout: Path) -> None:
    """With RECEPTORCTL_SOCKET the demo runs on that node and no other."""
    gone = {"RECEPTORCTL_SOCKET": str(checkout / "gone.sock"), "RECEPTOR_RUNNER_RETRY_DEADLINE": "0"}
    done = Commands(environment | gone, checkout).run("scripts/demo")
    assert done.rc == 69, done.text + done.stderr
    assert "gone.sock" in done.stderr
