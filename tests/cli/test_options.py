"""The options that describe a job, as the command line takes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.harness import CommandLine, Commands, Finished, Project


def transmit(command_line: CommandLine | Commands, project: Project, *words: str) -> Finished:
    """Pack the options of a job alone."""
    return command_line.ours("transmit", project.path, "--only-kwargs", *words)


def options(done: Finished) -> dict[str, Any]:
    """Return the options on the wire."""
    assert done.rc == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[0])["kwargs"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-p", "test.yml", "-r", "web"), "--playbook and --role exclude each other"),
        (("-p", "test.yml", "-m", "ping", "--hosts", "all"), "--playbook and --module exclude each other"),
        (("-m", "ping", "-r", "web"), "--module and --role exclude each other"),
        (("-p", "test.yml", "--hosts", "all"), "--hosts needs"),
        (("-p", "test.yml", "--role-vars", "a=b"), "--role-vars needs --role"),
        (("-r", "web", "--role-vars", "a='b"), "--role-vars cannot be split into words"),
        (("-p", "test.yml", "--role-skip-facts"), "--role-skip-facts needs --role"),
        (("-p", "test.yml", "-i", ""), "invalid ident"),
        (("-p", "test.yml", "--job-timeout", "nan"), "not a number"),
        ((), "nothing to run"),
    ],
)
def test_what_contradicts_itself_is_a_usage_error(
    command_line: CommandLine, project: Project, words: tuple[str, ...], said: str
) -> None:
    """Options that make no sense together are refused before anything is packed."""
    done = transmit(command_line, project, *words)
    assert (done.rc, done.stdout) == (64, b"")
    assert said in done.stderr


def test_the_command_line_overrides_the_environment(commands: Commands, project: Project) -> None:
    """A target that only the environment names gives way to that of the command line."""
    commands.environment["RUNNER_PLAYBOOK"] = "usual.yml"
    sent = options(transmit(commands, project, "-m", "ping", "--hosts", "all"))
    assert (sent.get("playbook"), sent["module"]) == (None, "ping")
    assert options(transmit(commands, project))["playbook"] == "usual.yml"


def test_the_roles_path_of_a_playbook_travels(commands: Commands, project: Project) -> None:
    """Where roles are found on the worker is for playbooks too, as a list, which is what ansible-runner sends."""
    assert options(transmit(commands, project, "-p", "test.yml", "--roles-path", "/r"))["roles_path"] == [
        "/r"
    ]
    peer = commands.peer("transmit", project.path, "-p", "test.yml", "--roles-path", "/r")
    assert json.loads(peer.stdout.splitlines()[0])["kwargs"]["roles_path"] == ["/r"]


@pytest.mark.parametrize("phase", ["transmit", "worker", "process"])
def test_each_phase_tells_its_version(command_line: CommandLine, phase: str) -> None:
    """`--version` works behind a phase's name, as with ansible-runner."""
    done = command_line.ours(phase, "--version")
    assert (done.rc, done.text.splitlines()[0].split()[0]) == (0, "receptor-runner")


@pytest.mark.parametrize("words", [(), ("config",)])
def test_no_command_at_all_shows_the_help(command_line: CommandLine, words: tuple[str, ...]) -> None:
    """A group without a command prints its help as it is, on stderr, as a usage error."""
    done = command_line.ours(*words)
    assert (done.rc, done.stdout) == (64, b"")
    assert done.stderr.startswith("Usage: receptor-runner")
    assert len(done.stderr.splitlines()) > 5
