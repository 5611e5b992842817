"""Settings: what overrides what, and which commands read them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest
from receptor_runner.cli.configuration.settings import SETTINGS, key_of, variable
from receptor_runner.cli.program import cli
from receptor_runner.receptor.jobs.work_order import DEFAULT_TTL

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import CommandLine, Project

USER_FILE = "config/receptor-runner/config.yml"


@pytest.fixture
def command_line(command_line: CommandLine, tmp_path: Path) -> CommandLine:
    """The command line in an empty directory, with a configuration directory of its own."""
    command_line.environment["XDG_CONFIG_HOME"] = str(tmp_path / "config")
    command_line.cwd = tmp_path / "here"
    command_line.cwd.mkdir()
    return command_line


def write(path: Path, text: str) -> None:
    """Write a configuration file that can be trusted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


def show(command_line: CommandLine, *words: str) -> dict[str, tuple[object, str]]:
    """Return value and source of each setting."""
    done = command_line.ours("config", "show", "--json", *words)
    assert done.rc == 0, done.stderr
    return {entry["key"]: (entry["value"], entry["source"]) for entry in json.loads(done.text)["settings"]}


def test_each_place_overrides_the_next(command_line: CommandLine, tmp_path: Path) -> None:
    """Option, our variable, receptorctl's variable, the project's file, the user's file, default: in this order."""
    assert show(command_line)["socket"] == (None, "default")
    write(tmp_path / USER_FILE, "\nsocket: user\n")
    assert show(command_line)["socket"] == ("user", f"{tmp_path}/{USER_FILE}:2")
    write(command_line.cwd / "receptor-runner.yml", "socket: project\n")
    assert show(command_line)["socket"] == ("project", "./receptor-runner.yml:1")
    command_line.environment["RECEPTORCTL_SOCKET"] = "theirs"
    assert show(command_line)["socket"] == ("theirs", "RECEPTORCTL_SOCKET")
    command_line.environment["RECEPTOR_RUNNER_SOCKET"] = "ours"
    assert show(command_line)["socket"] == ("ours", "RECEPTOR_RUNNER_SOCKET")
    assert show(command_line, "--socket", "given")["socket"] == ("given", "--socket")


def test_a_profile_overrides_the_settings_beside_it(command_line: CommandLine, tmp_path: Path) -> None:
    """A profile may be in both files; what it does not set comes from the settings of all profiles."""
    write(tmp_path / USER_FILE, "node: user\nprofiles: {prod: {node: exec1, ttl: 1h, retry-deadline: 5}}\n")
    write(command_line.cwd / "receptor-runner.yml", "node: project\nttl: 2m\nprofiles: {prod: {ttl: 3m}}\n")
    found = show(command_line, "--profile", "prod")
    assert (found["node"][0], found["ttl"][0], found["retry-deadline"][0]) == ("exec1", "3m", 5.0)
    command_line.environment["RECEPTOR_RUNNER_PROFILE"] = "prod"
    assert show(command_line) == found
    del command_line.environment["RECEPTOR_RUNNER_PROFILE"]
    assert show(command_line)["node"][0] == "project"


def test_every_setting_can_be_set_in_every_place(command_line: CommandLine) -> None:
    """Each name of the table is an option, a variable, a key of the file, and a line of `config show`."""
    values = dict.fromkeys(SETTINGS, "7") | {
        "signwork": "no", "keep": "yes", "process-isolation": "yes", "output": "json", "color": "never",
        "log-format": "text",
    }  # fmt: skip
    write(
        command_line.cwd / "receptor-runner.yml",
        "".join(f"{key}: {value}\n" for key, value in values.items()),
    )
    found = show(command_line)
    assert list(found) == list(SETTINGS)
    assert {source.rpartition(":")[0] for _value, source in found.values()} == {"./receptor-runner.yml"}
    command_line.environment |= {variable(key): value for key, value in values.items()}
    assert [source for _value, source in show(command_line).values()] == [variable(key) for key in SETTINGS]


def test_paths_start_at_their_file(command_line: CommandLine, tmp_path: Path) -> None:
    """A certificate beside the file is found from every directory."""
    write(tmp_path / USER_FILE, "key: client.pem\ncert: /etc/cert.pem\n")
    found = show(command_line)
    assert found["key"][0] == str(tmp_path / "config/receptor-runner/client.pem")
    assert found["cert"][0] == "/etc/cert.pem"


@pytest.mark.parametrize(
    ("text", "words", "code", "said"),
    [
        ("wait-timeout: soon\n", (), 78, "./receptor-runner.yml:1: invalid `wait-timeout`"),
        ("output: loud\n", (), 78, "./receptor-runner.yml:1: invalid `output`"),
        ("node: [a, b]\n", (), 78, "./receptor-runner.yml:1: `node` takes one value"),
        ("sokcet: x\n", (), 78, "did you mean `socket`?"),
        ("profiles: {prod: {}}\n", ("--profile", "prd"), 64, "did you mean `--profile prod`?"),
        ("", ("--profile", "prod"), 64, "no configuration file has profiles"),
    ],
)
def test_a_mistake_is_an_error_of_three_lines(
    command_line: CommandLine, text: str, words: tuple[str, ...], code: int, said: str
) -> None:
    """What cannot be used stops the command, with the place of the mistake."""
    write(command_line.cwd / "receptor-runner.yml", text)
    done = command_line.ours("config", "show", *words)
    assert (done.rc, done.stdout) == (code, b"")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 3


def test_a_bad_variable_is_named(command_line: CommandLine) -> None:
    """A value that makes no sense in a variable is the error that it would be in a file, and names the variable."""
    command_line.environment["RECEPTOR_RUNNER_RETRY_DEADLINE"] = "abc"
    done = command_line.ours("jobs")
    assert (done.rc, done.stderr.splitlines()) == (
        78,
        [
            "error: RECEPTOR_RUNNER_RETRY_DEADLINE: invalid `retry-deadline`",
            "  cause: 'abc' is not a number of seconds",
            "  hint: unset RECEPTOR_RUNNER_RETRY_DEADLINE",
        ],
    )


def test_defaults_are_shown(command_line: CommandLine) -> None:
    """A setting that is nowhere set shows the value that counts then, also one that an option's callback takes."""
    found = show(command_line)
    shown = {key: found[key] for key in ("ttl", "output", "color", "log-format", "node")}
    assert {source for _value, source in shown.values()} == {"default"}
    assert [value for value, _source in shown.values()] == [DEFAULT_TTL, "text", "auto", "text", None]


def test_commands_that_talk_to_no_node_read_no_file(command_line: CommandLine, project: Project) -> None:
    """`transmit`, and help of every command, work whatever a file says; `jobs` does not."""
    write(command_line.cwd / "receptor-runner.yml", "nonsense: x\n")
    sent = command_line.ours("transmit", project.path, "--only-kwargs", "-p", "test.yml")
    assert sent.rc == 0, sent.stderr
    assert command_line.ours("jobs", "--help").rc == 0
    assert command_line.ours("jobs", project.path).rc == 78
    no_profile = {"transmit", "worker", "process", "node", "completion"}
    for name in no_profile:
        command = cli.get_command(click.Context(cli), name)
        assert command
        assert "profile" not in {parameter.name for parameter in command.params}


def test_yaml_is_imported_only_for_a_file(tmp_path: Path) -> None:
    """A command without a configuration file does not pay for one."""
    code = (
        "import sys; from receptor_runner.cli.configuration import settings;"
        "print(list(settings._files()), 'yaml' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path, env={}
    )
    assert done.stdout == "[] False\n"


def test_options_of_ansible_are_no_settings() -> None:
    """`--key-file` or `--timeout` of ansible-playbook are not set by settings of ours."""
    command = cli.get_command(click.Context(cli), "playbook")
    assert command
    for parameter in command.params:
        if str(parameter.name).startswith("ansible_"):
            assert key_of(parameter) is None
            assert parameter.envvar is None


def test_an_option_overrides_an_output_format_of_the_file(command_line: CommandLine) -> None:
    """`--quiet` counts where a file says json; two options that contradict each other are an error."""
    write(command_line.cwd / "receptor-runner.yml", "output: json\n")
    done = command_line.ours("attach", "nowhere", "-i", "1", "-q")
    assert (done.rc, "conflicting" in done.stderr) == (66, False)
    both = command_line.ours("attach", "nowhere", "-i", "1", "-q", "--output", "json")
    assert (both.rc, "conflicting" in both.stderr) == (64, True)


def test_an_option_before_the_command_overrides_the_file(command_line: CommandLine) -> None:
    """`receptor-runner --log-format text attach` is text although the file says json."""
    write(command_line.cwd / "receptor-runner.yml", "log-format: json\n")
    plain = command_line.ours("--log-format", "text", "attach", "nowhere", "-i", "1")
    assert plain.stderr.startswith("error: ")
    assert command_line.ours("attach", "nowhere", "-i", "1").stderr.startswith("{")
