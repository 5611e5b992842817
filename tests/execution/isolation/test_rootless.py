"""Jobs in rootless podman: files of other users inside, and what is left when a worker is killed."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.harness import Commands, Project, wait_until
from tests.harness.containers import IMAGE
from tests.harness.rootless import RootlessUser, rootless_user

__all__ = ["rootless_user"]

pytestmark = pytest.mark.slow

FOREIGN = """
- shell: >-
    cd {{ playbook_dir }}; mkdir -m 0700 locked; touch locked/file; chown -R 1000:1000 locked;
    cd /runner/artifacts/*/; mkdir -m 0700 theirs; echo kept > theirs/file; chown -R 1000:1000 theirs
"""
SLEEP = "- command: sleep 600"


@pytest.fixture
def user(rootless_user: RootlessUser) -> Iterator[RootlessUser]:
    """The user; nothing is left of its jobs at the end."""
    yield rootless_user
    wait_until(lambda: rootless_user.containers() == [], "no container")
    wait_until(lambda: rootless_user.processes() == [], "no process")
    wait_until(lambda: list(rootless_user.temporary.iterdir()) == [], "no file")


def stream(commands: Commands, project: Project, tasks: str, *words: str) -> bytes:
    """Return a job in a container, as a worker takes it."""
    name = project.playbook(tasks)
    isolation = ["--process-isolation", "--container-image", IMAGE]
    return commands.ours("transmit", project.path, "-p", name, *isolation, *words).stdout


def messages(output: bytes) -> list[dict[str, Any]]:
    """Return the messages of a worker, without the archive."""
    return [json.loads(line) for line in output.splitlines() if line.startswith(b"{")]


def archive(output: bytes) -> zipfile.ZipFile:
    """Return the archive that a worker sent."""
    lines = output.splitlines()
    start = next(number for number, line in enumerate(lines) if b'"zipfile"' in line)
    packed = lines[start + 1].removesuffix(b'{"eof": true}')
    return zipfile.ZipFile(io.BytesIO(b64decode(packed)))


def test_files_of_other_users_come_back_and_go(
    user: RootlessUser, commands: Commands, project: Project
) -> None:
    """What belongs to a subordinate uid is in the archive, and removed with the directory, by an ordinary user."""
    done = user.run("receptor-runner", "worker", stdin=stream(commands, project, FOREIGN))
    statuses = [line["status"] for line in messages(done.stdout) if "status" in line]
    assert statuses == ["starting", "running", "successful"], done.stdout
    assert archive(done.stdout).read("theirs/file") == b"kept\n"


def test_a_user_inside_that_is_not_root_can_run_the_job(
    user: RootlessUser, commands: Commands, project: Project
) -> None:
    """With keep-id the job has the worker's own uid, and its events come all the same."""
    sent = stream(commands, project, "- command: id -u", "--container-option=--userns=keep-id")
    done = user.run("receptor-runner", "worker", stdin=sent)
    results = [
        line["event_data"]["res"] for line in messages(done.stdout) if line.get("event") == "runner_on_ok"
    ]
    assert [result["stdout"] for result in results] == ["42420"], done.stdout


def test_a_worker_that_is_killed_leaves_nothing(
    user: RootlessUser, commands: Commands, project: Project, tmp_path: Path
) -> None:
    """After kill -9 the guardian removes the container, and files that are not the worker's."""
    output = tmp_path / "output"
    with output.open("wb") as file:
        worker = subprocess.Popen(
            user.words("receptor-runner", "worker"),
            stdin=subprocess.PIPE,
            stdout=file,
            cwd=user.directory / "home",
        )
    assert worker.stdin
    worker.stdin.write(stream(commands, project, FOREIGN + SLEEP))
    worker.stdin.close()
    wait_until(lambda: output.read_bytes().count(b'"event": "runner_on_start"') == 2, "the job sleeps")
    worker.kill()
    worker.wait()


def test_a_clean_up_removes_what_belongs_to_other_users_inside(user: RootlessUser) -> None:
    """`worker cleanup` by an ordinary user removes a directory with files of a subordinate uid."""
    place = user.temporary / "awx_1_x"
    script = f"mkdir -p {place}/locked && touch {place}/locked/file && chmod 700 {place}/locked"
    assert user.run("sh", "-c", script).returncode == 0
    assert user.run("podman", "unshare", "chown", "-R", "1000:1000", f"{place}/locked").returncode == 0
    done = user.run(
        "receptor-runner", "worker", "cleanup", f"--file-pattern={user.temporary}/awx_*", "--grace-period=0"
    )
    assert done.stdout.decode().endswith("(changed: True)\n"), done.stderr
