"""What all commands have in common: options behind the name, suggestions for typos, streams that are closed."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest
from receptor_runner.stream.encoder import EOF_LINE, encode_line
from tests.harness import BIN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import CommandLine, Commands, Project

COMMANDS = (
    "playbook", "adhoc", "transmit", "worker", "process", "run", "submit", "attach", "cancel", "release",
    "jobs", "metrics", "nodes", "doctor", "cleanup", "node", "config", "completion",
)  # fmt: skip

STREAM = (
    encode_line({"counter": 1, "uuid": "u", "stdout": "shown"})
    + encode_line({"status": "successful"})
    + EOF_LINE
)


@pytest.mark.parametrize("command", [*COMMANDS, "worker cleanup", "config check"])
def test_the_common_options_stand_behind_every_command(command_line: CommandLine, command: str) -> None:
    """--color, --debug, --logfile, --log-format and --version are taken behind a command, as ansible-runner does."""
    words = command.split()
    shown = command_line.ours(*words, "--help-all").text
    for option in ("--color", "--debug", "--logfile", "--log-format", "--version"):
        assert option in shown
    assert command_line.ours(*words, "--version").text.startswith("receptor-runner ")


def test_run_takes_the_options_of_ansible_runner(commands: Commands, project: Project) -> None:
    """What programs pass behind ansible-runner's `run` is understood: the call fails for its job alone."""
    words = ("-j", "--debug", "--logfile", project.path / "log", "--directory-isolation-base-path", "/tmp")
    done = commands.ours("run", project.path, *words)
    assert done.rc == 64
    assert "nothing to run" in done.stderr


@pytest.mark.parametrize(
    ("words", "what", "hint"),
    [
        (("rnu",), "unknown command `rnu`", "did you mean `receptor-runner run`?"),
        (("render",), "unknown command `render`", "did you mean `receptor-runner config render`?"),
        (("site.yml",), "unknown command `site.yml`", "did you mean `receptor-runner playbook site.yml`?"),
        (("start",), "unknown command `start`", "did you mean `receptor-runner submit`?"),
        (("config", "chek"), "unknown command `chek`", "did you mean `receptor-runner config check`?"),
        (("xyzzy",), "unknown command `xyzzy`", "receptor-runner --help"),
        (
            ("run", "DIR", "--playbok", "x"),
            "unknown option `--playbok`",
            "did you mean `receptor-runner run --playbook`?",
        ),
        (
            ("jobs", "--retry"),
            "unknown option `--retry`",
            "did you mean `receptor-runner jobs --retry-deadline`?",
        ),
        (("run", "DIR", "--nonsense"), "unknown option `--nonsense`", "hint: receptor-runner run --help-all"),
        (
            ("playbook", "site.yml", "--bogus"),
            "unknown option `--bogus`",
            "hint: receptor-runner playbook --help-all",
        ),
        (
            ("playbook", "site.yml", "--forks"),
            "Option '--forks' requires an argument",
            "receptor-runner playbook --help",
        ),
        (
            ("worker", "cleanup", "--xyzzy"),
            "unknown option `--xyzzy`",
            "receptor-runner worker cleanup --help-all",
        ),
    ],
)
def test_a_typo_gets_a_suggestion(
    command_line: CommandLine, words: tuple[str, ...], what: str, hint: str
) -> None:
    """A mistyped command or option is named, with the nearest one and the help of the command that was meant."""
    done = command_line.ours(*words)
    assert done.rc == 64
    assert done.stderr.splitlines()[0] == f"error: {what}"
    assert hint in done.stderr.splitlines()[1]


def test_debug_logs_every_step_of_a_run(commands: Commands, project: Project) -> None:
    """Behind `run` too, --debug says what is packed and what is asked of the node."""
    done = commands.ours("run", project.path, "-p", "test.yml", "-q", "--debug")
    assert done.rc == 0, done.stderr
    for step in (
        "debug: packed ",
        "created, sending the payload",
        "work status",
        "work results",
        "work release",
    ):
        assert step in done.stderr


def closed(commands: Commands, redirection: str, *words: object, stdin: bytes = b"") -> int:
    """Run a command with a stream closed or broken; return its exit code."""
    line = shlex.join([str(BIN / "receptor-runner"), *map(str, words)])
    return commands.run("sh", "-c", f"exec {line} {redirection}", stdin=stdin).rc


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full", ">&- 2>&-"])
def test_process_without_a_stdout(commands: Commands, tmp_path: Path, redirection: str) -> None:
    """The artifacts are whole although nothing can be displayed, which is 74; with -q the code is the job's own."""
    target = tmp_path / "p"
    assert closed(commands, redirection, "process", target, stdin=STREAM) == 74
    assert (target / "artifacts/status").read_text() == "successful"
    assert (target / "artifacts/stdout").read_text() == "shown\n"
    assert closed(commands, redirection, "process", target, "-q", stdin=STREAM) == 0


def test_run_without_a_stdout(commands: Commands, project: Project) -> None:
    """A job that runs through a node is neither canceled nor lost because its output cannot be displayed."""
    assert closed(commands, ">&- 2>&-", "run", project.path, "-p", "test.yml", "-i", "1") == 74
    record = json.loads((project.path / "artifacts/1/unit.json").read_text())
    assert record["outcome"]["status"] == "successful"
    assert "Hello world!" in (project.path / "artifacts/1/stdout").read_text()


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("config", "list"), ("run", "--help")])
def test_text_that_cannot_be_printed(commands: Commands, words: tuple[str, ...]) -> None:
    """A command whose result is text says with its exit code that nobody could read it."""
    for redirection in (">&-", ">/dev/full"):
        assert closed(commands, redirection, *words) == 74


def test_a_closed_stderr_costs_nothing(commands: Commands, project: Project) -> None:
    """Notes and warnings that nobody can read do not change what a command does."""
    for redirection in ("2>&-", "2>/dev/full"):
        assert closed(commands, redirection, "run", project.path, "-p", "test.yml", "-i", "2", "--rerun") == 0


def test_rotation_on_this_side(commands: Commands, project: Project) -> None:
    """`run --rotate-artifacts` keeps as many jobs in DIR as it says, and never removes one whose unit is left."""
    for ident in ("1", "2", "3"):
        done = commands.ours(
            "run", project.path, "-p", "test.yml", "-q", "-i", ident, "--rotate-artifacts", "2"
        )
        assert done.rc == 0, done.stderr
    assert sorted(entry.name for entry in (project.path / "artifacts").iterdir()) == ["2", "3"]
    record = project.path / "artifacts/2/unit.json"
    record.write_text(record.read_text().replace('"released": true', '"released": false'))
    done = commands.ours("run", project.path, "-p", "test.yml", "-q", "-i", "4", "--rotate-artifacts", "1")
    assert done.rc == 0, done.stderr
    assert sorted(entry.name for entry in (project.path / "artifacts").iterdir()) == ["2", "4"]
