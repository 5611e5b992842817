"""What a node says of itself."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import time
import uuid
from pathlib import Path

import pytest
import yaml
from receptor_runner.execution.worker_info import worker_info_text
from tests.harness import OURS, Commands


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_the_keys_that_callers_read(home: Path) -> None:
    """The text is one YAML mapping on one line, keys sorted, with the peer's keys and the version of its wire."""
    text = worker_info_text()
    facts = yaml.safe_load(text)
    assert text.count("\n") == 1
    assert list(facts) == sorted(facts)
    assert facts["runner_version"] == "2.4.3"
    assert facts["cpu_count"] == os.cpu_count()
    assert isinstance(facts["mem_in_bytes"], int)
    assert facts["errors"] == []
    assert isinstance(facts["receptor_runner_version"], str)
    assert facts["ansible_core_version"] == importlib.metadata.version("ansible-core")


def test_what_the_machine_has_left(home: Path, tmp_path: Path) -> None:
    """Free space where the payload is and for temporary files, the limits on inotify, the clock, ansible-playbook."""
    payload = tmp_path / "stdin"
    payload.touch()
    before = time.time()
    with payload.open() as stdin:
        done = subprocess.run([OURS, "worker", "--worker-info"], stdin=stdin, capture_output=True, check=True)
    facts = yaml.safe_load(done.stdout)
    assert facts["disk_free_in_bytes"]["units"] > 0
    assert facts["disk_free_in_bytes"]["temporary"] > 0
    assert facts["inotify"]["max_user_instances"] > 0
    assert before - 1 <= facts["unix_time"] <= time.time() + 1
    assert facts["python_version"] == platform.python_version()
    assert Path(facts["ansible_playbook"]).name == "ansible-playbook"


def test_the_container_for_jobs(commands: Commands) -> None:
    """The image and engine that the work-command names are there; without them the fact is null."""
    words = ("--container-image", "ee:1", "--process-isolation-executable", "docker")
    facts = yaml.safe_load(commands.ours("worker", *words, "--worker-info").text)
    assert facts["container"] == {"image": "ee:1", "engine": "docker"}
    assert yaml.safe_load(commands.ours("worker", "--worker-info").text)["container"] is None


def test_a_stdin_that_is_no_payload_says_nothing_of_a_disk(commands: Commands) -> None:
    """Outside of a node the place of units is not known."""
    facts = yaml.safe_load(commands.ours("worker", "--worker-info", stdin=b"").text)
    assert facts["disk_free_in_bytes"]["units"] is None


def test_the_uuid_is_made_once_and_kept_private(home: Path) -> None:
    """The node's uuid is made once, 0600, in the peer's file; the mode of one that is there is set right."""
    first = yaml.safe_load(worker_info_text())["uuid"]
    kept = home / ".ansible_runner_uuid"
    assert str(uuid.UUID(first)) == first == kept.read_text()
    kept.chmod(0o644)
    kept.write_text(f" {first}\n")
    assert yaml.safe_load(worker_info_text())["uuid"] == first
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["true", "12", "{x: y}", "a: b", "1.5", "'", ""])
def test_whatever_the_uuid_file_holds_is_text(home: Path, content: str) -> None:
    """An odd file is quoted, so that the text stays YAML."""
    (home / ".ansible_runner_uuid").write_text(content)
    assert yaml.safe_load(worker_info_text())["uuid"] == content


def test_a_fact_that_is_not_to_be_had_is_named(home: Path) -> None:
    """Where the file cannot be read the key is null and the reason is among the errors."""
    (home / ".ansible_runner_uuid").mkdir()
    facts = yaml.safe_load(worker_info_text())
    assert facts["uuid"] is None
    assert len(facts["errors"]) == 1
    assert facts["errors"][0].startswith("uuid: ")


def test_both_workers_say_the_same(commands: Commands) -> None:
    """The command prints what the peer's prints: the same keys and values, and ours beside them."""
    peer = yaml.safe_load(commands.peer("worker", "--worker-info").text)
    done = commands.ours("worker", "--worker-info")
    ours = yaml.safe_load(done.text)
    assert done.rc == 0
    assert ours.items() >= peer.items()
    assert ours.keys() - peer.keys() == {
        "ansible_core_version",
        "ansible_playbook",
        "container",
        "disk_free_in_bytes",
        "inotify",
        "isolation_engines",
        "python_version",
        "receptor_runner_version",
        "receptorctl_version",
        "unix_time",
    }


def test_the_engines_that_answer_are_named(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each engine that is there and works has its version; one that fails is left out, as one that is missing."""
    for name, script in (("podman", "echo podman version 4.9.3-rhel"), ("bwrap", "echo no; exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert yaml.safe_load(worker_info_text())["isolation_engines"] == {"podman": "4.9.3-rhel"}
