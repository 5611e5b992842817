"""Settings of the node, from the files that people write."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from receptor_runner.errors import ConfigError
from receptor_runner.node.configuration import find_default_data_dir, read_settings
from receptor_runner.node.settings import LogLevel, WorkCommand
from tests.harness import INTRODUCTION


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "receptor.yml"
    path.write_text(text)
    return path


def test_file_of_receptors_introduction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that Receptor's introduction has people write is accepted as it is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = _write(tmp_path, INTRODUCTION)
    settings = read_settings(path)
    assert settings.node_id == "primary"
    assert settings.log_level is LogLevel.DEBUG
    assert settings.control_services[0].filename == tmp_path / "control.sock"
    assert settings.control_services[0].permissions == 0o600
    assert settings.work_commands == (
        WorkCommand(
            work_type="ansible-runner", command="ansible-runner", params="worker", allow_runtime_params=True
        ),
    )
    assert settings.data_dir == tmp_path / "state" / "receptor-runner" / "node"
    assert settings.source == path


def test_socket_is_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative socket name means the directory the node is started in, not that of the file."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = read_settings(_write(tmp_path, INTRODUCTION))
    assert settings.control_services[0].filename == tmp_path / "elsewhere" / "control.sock"


def test_node_needs_no_name(tmp_path: Path) -> None:
    """Without a node block the node is called like the machine, as the daemon does."""
    settings = read_settings(_write(tmp_path, "- control-service: {filename: s}\n"))
    assert settings.node_id == socket.gethostname()


def test_default_data_directory_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Units live below XDG_STATE_HOME, or below the home directory without it."""
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_default_data_dir() == tmp_path / ".local/state/receptor-runner/node"


@pytest.mark.parametrize(
    ("listen", "address"),
    [("127.0.0.1:7", ("127.0.0.1", 7)), ("7", ("127.0.0.1", 7)), ("'[::1]:7'", ("::1", 7))],
)
def test_tcp_listens_on_the_loopback(tmp_path: Path, listen: str, address: tuple[str, int]) -> None:
    """A bare port means the loopback."""
    settings = read_settings(_write(tmp_path, f"- control-service: {{tcplisten: {listen}}}\n"))
    assert settings.control_services[0].tcp_listen == address


SOCKET = "- control-service: {filename: s}\n"


@pytest.mark.parametrize(
    ("written", "mode"),
    [("0660", 0o660), ("'0660'", 0o660), ("0o660", 0o660), ("'0o660'", 0o660), ("432", 0o660)],
)
def test_permissions_are_read_as_by_the_daemon(tmp_path: Path, written: str, mode: int) -> None:
    """The octal forms of the daemon mean the same here, and a bare number is decimal."""
    text = f"- control-service: {{filename: s, permissions: {written}}}\n"

    assert read_settings(_write(tmp_path, text)).control_services[0].permissions == mode


@pytest.mark.parametrize(
    ("written", "value"), [("true", True), ("y", True), ("'yes'", True), ("off", False), ("'f'", False)]
)
def test_booleans_are_read_as_by_the_daemon(tmp_path: Path, written: str, value: bool) -> None:
    """Every spelling that the daemon takes for a boolean means the same here."""
    text = SOCKET + f"- work-command: {{worktype: a, command: c, allowruntimeparams: {written}}}\n"

    assert read_settings(_write(tmp_path, text)).work_commands[0].allow_runtime_params is value


@pytest.mark.parametrize("written", ["true", "y", "yes", "on", "'t'", "'1'"])
def test_a_signature_to_verify_is_never_overlooked(tmp_path: Path, written: str) -> None:
    """The node cannot verify signatures, so it refuses a file that asks for it in whatever spelling."""
    text = SOCKET + f"- work-command: {{worktype: a, command: c, verifysignature: {written}}}\n"

    with pytest.raises(ConfigError, match="does not support verifysignature"):
        read_settings(_write(tmp_path, text))


def test_merge_keys_are_followed(tmp_path: Path) -> None:
    """A block that repeats another with one change is read as the daemon reads it."""
    text = SOCKET + (
        "- work-command: &cat {worktype: a, command: cat, params: -n}\n"
        "- work-command: {<<: *cat, worktype: b}\n"
    )
    commands = read_settings(_write(tmp_path, text)).work_commands

    assert [(work.work_type, work.command, work.params) for work in commands] == [
        ("a", "cat", "-n"),
        ("b", "cat", "-n"),
    ]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("- node: {id: a}\n", "no client can reach the node", "control.sock"),
        ("- control-service: {service: control}\n", "no client can reach the node", "control.sock"),
        (SOCKET + "- node: {id: LocalHost}\n", ":2: the node id `localhost` is reserved", None),
        (SOCKET + "- node: {id: a/b}\n", "invalid node id 'a/b'", None),
        (SOCKET + "- node: {id: ..}\n", "invalid node id '..'", None),
        (SOCKET + "- node: {idd: x}\n", "node has no key 'idd'", "did you mean id?"),
        (SOCKET + "- node: a\n- node: b\n", ":3: only one node is allowed", None),
        (SOCKET + "- log-level: chatty\n", "unknown log level 'chatty'", "error, warning"),
        (SOCKET + "- work-comand: {}\n", ":2: unknown block 'work-comand'", "did you mean work-command?"),
        (SOCKET + "- Work-Command: {}\n", ":2: unknown block 'Work-Command'", "did you mean work-command?"),
        (SOCKET + "- work-command: {command: c}\n", "requires the key worktype", None),
        (SOCKET + "- work-command: {worktype: c}\n", "requires the key command", None),
        (SOCKET + "- work-command: {worktype: remote, command: c}\n", "is the daemon's own", None),
        (SOCKET + "- work-command: {worktype: c, command: [a]}\n", "must be a single value", None),
        (SOCKET + '- work-command: {worktype: c, command: a, params: "\'"}\n', "open quote", None),
        (SOCKET + 2 * "- work-command: {worktype: a, command: c}\n", "worktype a is already used", None),
        (
            SOCKET + "- work-command: {worktype: a, command: c, allowruntimeparams: maybe}\n",
            "allowruntimeparams: maybe is not a boolean",
            "true or false",
        ),
        (SOCKET + "- tcp-peer: {address: 'b:1'}\n", "does not support tcp-peer", "receptor --config"),
        (SOCKET + "- work-signing: {privatekey: k}\n", "does not support work-signing", "receptor --config"),
        (SOCKET + "- node: {id: a, firewallrules: []}\n", "does not support firewallrules", "receptor"),
        ("- control-service: {filename: s, tls: x}\n", "does not support tls", "receptor --config"),
        ("- control-service: {filename: s, permissions: 660}\n", "660 is decimal", '"0660"'),
        ("- control-service: {filename: s, permissions: rw}\n", "not an octal mode", '"0660"'),
        ("- control-service: {filename: s, permissions: '0060'}\n", "the owner cannot use", None),
        ("- control-service: {tcplisten: 0.0.0.0:7}\n", "only on loopback addresses", None),
        ("- control-service: {tcplisten: 127.evil.example:7}\n", "only on loopback addresses", None),
        ("- control-service: {tcplisten: x}\n", "not a port or host:port", None),
        (f"- control-service: {{filename: /tmp/{'x' * 120}}}\n", "125 bytes long", "shorter directory"),
        ("- control-service: x\n", "takes keys below it", None),
        ("- {node: {id: a}, local-only: }\n", "several block names", None),
        ("- 5\n", "unknown block '5'", None),
        ("node: {id: a}\n", "this is a v2 file", "write a list"),
        ("", "this file is empty", None),
        ("- [\n", "invalid YAML", None),
    ],
)
def test_settings_that_are_refused(tmp_path: Path, text: str, message: str, hint: str | None) -> None:
    """What the daemon would refuse, or a local node cannot do, is one error with its file and line."""
    path = _write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_settings(path)

    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}:")
    assert len(caught.value.lines()) <= 3
    if hint is not None:
        assert hint in str(caught.value.hint)


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    """A file that does not exist, or is not text, is a configuration error."""
    with pytest.raises(ConfigError, match=r"cannot read .*nothing\.yml"):
        read_settings(tmp_path / "nothing.yml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot read"):
        read_settings(tmp_path / "binary")


def test_settings_are_read_by_light_means() -> None:
    """A node is started for each job, so reading its file imports neither templates nor certificates."""
    program = (
        "import sys, receptor_runner.node.configuration\n"
        "print({'jinja2', 'cryptography', 'difflib'} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert said.stdout == "set()\n"


def test_a_node_is_light() -> None:
    """A job waits for its node: the module that it runs imports nothing that takes long."""
    heavy = {"dataclasses", "inspect", "shutil", "tempfile", "subprocess", "yaml", "click", "ssl", "asyncio"}
    program = f"import sys, receptor_runner.node.job_node; print({heavy} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True)

    assert said.stdout == "set()\n"
