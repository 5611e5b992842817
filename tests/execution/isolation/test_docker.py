"""Jobs with docker, whose client is a script here: its command lines, and the environment that goes another way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from receptor_runner.outcome import Status
from tests.execution.conftest import Workplace

# Like docker without a daemon to ask: it writes down its words, and runs the command of `run` right here, with the
# directory that would be mounted in place of the one inside.
SCRIPT = """#!/bin/sh
echo "$*" >> {log}
case "$1 $2" in
  "image inspect") exit {inspect};;
  "pull --quiet") exit 0;;
  "--config=*") exit 0;;
  "run --rm") ;;
  *) exit 0;;
esac
previous=
for word; do
  case "$previous $word" in
    "-v "*:/run/receptor-runner/job:*) mounted="${{word%%:*}}";;
  esac
  previous="$word"
done
while [ "$1" != "python3" ]; do shift; done
shift 2
exec "{python}" "$mounted/start.py" "$@"
"""


class Docker:
    """A directory with a client called docker in it."""

    def __init__(self, directory: Path, python: str, *, has_image: bool = True) -> None:
        self._log = directory / "words"
        client = directory / "docker"
        inspect = 0 if has_image else 1
        client.write_text(SCRIPT.format(log=self._log, inspect=inspect, python=python))
        client.chmod(0o755)

    @property
    def words(self) -> list[list[str]]:
        """What it was called with, in order."""
        return [line.split() for line in self._log.read_text().splitlines()]


@pytest.fixture
def docker(workplace: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    """A client that has the image."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return Docker(directory, ["/usr/bin/env", "python3"][-1])


OPTIONS = {
    "process_isolation": True,
    "process_isolation_executable": "docker",
    "container_image": "q.io/ee:1",
    "binary": "sh",
}


def test_the_command_line_is_dockers(docker: Docker, workplace: Workplace, temporary: Path) -> None:
    """The image is looked for, the container runs as the worker's user without pulling, and is removed at the end."""
    ran = workplace.run(
        **OPTIONS,
        cmdline="-c 'echo $TOKEN'",
        envvars={"TOKEN": "hunter2"},
        container_options=["--network=host", "--pull", "missing"],
        container_volume_mounts=["/srv/x:/x:ro"],
    )
    assert (ran.outcome.status, ran.told.text) == (Status.SUCCESSFUL, "hunter2")
    inspect, run, remove = docker.words
    assert inspect == ["image", "inspect", "--format={{.Id}}", "q.io/ee:1"]
    pdd, name = workplace.path, run[run.index("--name") + 1]
    start = f"run --rm --tty --interactive --workdir /runner -v {pdd}/:/runner/:Z -v /srv/x:/x:ro"
    assert run[:10] == start.split()
    assert f"--user={os.getuid()}" in run
    end = "--network=host q.io/ee:1 python3 /run/receptor-runner/job/start.py sh -c echo $TOKEN -i /runner/inventory"
    assert run[run.index(name) + 1 :] == end.split()
    assert "--pull=never" in run
    assert "hunter2" not in str(docker.words)
    assert remove == ["rm", "--force", name]
    assert list(temporary.iterdir()) == []


def test_a_login_goes_to_the_pull_only(
    workplace: Workplace, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The login is in a configuration directory of its own, for the pull; it is gone when the container runs."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    docker = Docker(directory, "python3", has_image=False)
    login = {"host": "q.io", "username": "me", "password": "hunter2", "verify_ssl": False}
    ran = workplace.run(**OPTIONS, cmdline="-c true", container_auth_data=login)
    assert ran.outcome.status is Status.SUCCESSFUL
    pull = docker.words[1]
    assert pull[1:] == ["pull", "--quiet", "q.io/ee:1"]
    assert pull[0].startswith(f"--config={temporary}/receptor-runner-container-")
    assert "hunter2" not in str(docker.words)
    assert list(temporary.iterdir()) == []
