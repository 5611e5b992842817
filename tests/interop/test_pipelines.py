"""The pipelines that people type, word for word, in a shell, through both daemons."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.harness import (
    BIN,
    INTRODUCTION,
    LOCALHOST,
    NODE_KINDS,
    Commands,
    Finished,
    Project,
    ServedNode,
    wait_until,
)


@dataclass
class Shell:
    """A shell in a directory that holds `./demo` and, through a node, `./control.sock`."""

    commands: Commands
    demo: Project

    def run(self, line: str) -> Finished:
        """Run a pipeline; its exit code is that of the last command that failed."""
        return self.commands.run("bash", "-o", "pipefail", "-c", line, timeout_s=100)

    def artifact(self, ident: str, name: str) -> str:
        """Return the text of an artifact; without an ident, of `artifacts/` itself."""
        return (self.demo.artifacts(ident) / name).read_text()

    def counters(self, ident: str) -> list[int]:
        """Return the counters of the events that were kept."""
        files = (self.demo.artifacts(ident) / "job_events").iterdir()
        return sorted(json.loads(path.read_bytes())["counter"] for path in files)


def open_shell(environment: dict[str, str], directory: Path) -> Shell:
    """Return a shell in a directory, with the demo project in it."""
    demo = Project(directory / "demo")
    demo.write("inventory/hosts", LOCALHOST)
    demo.playbook("- debug: msg='Hello world!'")
    return Shell(Commands(environment, directory), demo)


@pytest.fixture
def shell(environment: dict[str, str], tmp_path: Path) -> Shell:
    """A shell without a node."""
    return open_shell(environment, tmp_path)


@pytest.fixture(params=NODE_KINDS)
def served_shell(
    request: pytest.FixtureRequest, node_factory: Callable[[str], ServedNode], environment: dict[str, str]
) -> Shell:
    """A shell beside a node of each kind, configured from our template."""
    node = node_factory(str(request.param))
    return open_shell(environment, node.config.parent)


def test_three_phases_of_ours(shell: Shell) -> None:
    """Our three phases in a pipe leave the artifacts and exit with the job's code."""
    done = shell.run(
        "receptor-runner transmit ./demo -p test.yml | receptor-runner worker | receptor-runner process ./demo"
    )
    assert done.rc == 0, done.stderr
    assert "Hello world!" in done.text
    assert (shell.artifact("", "rc"), shell.artifact("", "status")) == ("0", "successful")
    assert shell.counters("") == [1, 2, 3, 4, 5, 6]


def test_our_worker_between_the_peers_phases(shell: Shell) -> None:
    """Our worker serves ansible-runner's transmit and process."""
    done = shell.run(
        "ansible-runner transmit ./demo -p test.yml | receptor-runner worker | ansible-runner process ./demo"
    )
    assert done.rc == 0, done.stderr
    assert "Hello world!" in done.text
    assert (shell.artifact("", "rc"), shell.artifact("", "status")) == ("0", "successful")
    assert shell.counters("") == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("transmit", "process", "rm"),
    [
        pytest.param("receptor-runner", "receptor-runner", "", marks=pytest.mark.slow),
        ("receptor-runner", "receptor-runner", "--rm "),
        pytest.param("ansible-runner", "receptor-runner", "--rm ", marks=pytest.mark.slow),
        # ansible-runner's process is gone by the time receptorctl says that it released the unit
        ("receptor-runner", "ansible-runner", ""),
    ],
    ids=["ours", "ours-rm", "peer-transmit-rm", "peer-process"],
)
def test_through_receptorctl(served_shell: Shell, transmit: str, process: str, rm: str) -> None:
    """A job submitted by the unmodified receptorctl comes home, whatever receptorctl adds to its output."""
    done = served_shell.run(
        f"{transmit} transmit ./demo -p test.yml"
        f" | receptorctl --socket ./control.sock work submit -f {rm}--node primary -p - receptor-runner"
        f" | {process} process ./demo --ident=43"
    )
    assert done.rc == 0, done.stderr
    assert "Hello world!" in done.text
    assert (served_shell.artifact("43", "rc"), served_shell.artifact("43", "status")) == ("0", "successful")
    assert served_shell.counters("43") == [1, 2, 3, 4, 5, 6]
    units = json.loads(served_shell.run("receptorctl --socket ./control.sock work list").stdout)
    assert len(units) == (0 if rm else 1)


def test_failed_job_through_receptorctl(served_shell: Shell) -> None:
    """The code of a failed job is its own, although receptorctl fails too when its unit does."""
    served_shell.demo.playbook("- fail: msg='no such luck'")
    done = served_shell.run(
        "receptor-runner transmit ./demo -p test.yml"
        " | { receptorctl --socket ./control.sock work submit -f --node primary -p - receptor-runner; true; }"
        " | receptor-runner process ./demo --ident=43"
    )
    assert done.rc == 2, done.stderr
    assert (served_shell.artifact("43", "rc"), served_shell.artifact("43", "status")) == ("2", "failed")


@pytest.fixture
def default_datadir_alone() -> Iterator[None]:
    """Hold the real daemon's default data directory, which a config without `datadir` uses, for one test."""
    with open("/tmp/receptor-runner-tests.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.usefixtures("default_datadir_alone")
@pytest.mark.parametrize(
    "command", ["receptor-runner", pytest.param("ansible-runner", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("kind", NODE_KINDS)
def test_receptors_own_introduction(
    kind: str, command: str, environment: dict[str, str], short_dir: Path
) -> None:
    """The hand-written config of Receptor's introduction works as it stands, started in its own directory."""
    node = ServedNode(kind, short_dir, environment)
    node.config.write_text(INTRODUCTION.replace("command: ansible-runner", f"command: {command}"))
    shell = open_shell(environment, short_dir)
    node.start()
    try:
        _use_introduction(shell)
    finally:
        shell.run("receptorctl --socket ./control.sock work release --all")
        node.close()


def _use_introduction(shell: Shell) -> None:
    submitted = shell.run(
        "receptor-runner transmit ./demo -p test.yml"
        " | receptorctl --socket ./control.sock work submit -f --rm --node primary -p - ansible-runner"
        " | receptor-runner process ./demo --ident=43"
    )
    assert submitted.rc == 0, submitted.stderr
    assert shell.counters("43") == [1, 2, 3, 4, 5, 6]
    ran = shell.run("receptor-runner run ./demo -p test.yml --socket ./control.sock -i 44")
    assert ran.rc == 0, ran.stderr
    assert shell.counters("44") == [1, 2, 3, 4, 5, 6]
    assert json.loads(shell.run("receptorctl --socket ./control.sock work list").stdout) == {}


def test_rendered_config_serves(environment: dict[str, str], short_dir: Path) -> None:
    """`config render local` writes a file that `receptor-runner node` serves at once."""
    shell = open_shell(environment, short_dir)
    rendered = shell.run(
        "receptor-runner config render local --set socket=$PWD/control.sock --set datadir=$PWD/data"
        f" --set command={BIN}/receptor-runner -o receptor.yml"
    )
    assert rendered.rc == 0, rendered.stderr
    commands = shell.commands
    commands.start("node", "--config", "receptor.yml")
    wait_until((short_dir / "control.sock").exists, "the socket is there")
    done = shell.run("receptor-runner run ./demo -p test.yml --socket ./control.sock -i 44")
    commands.close()
    assert done.rc == 0, done.stderr
