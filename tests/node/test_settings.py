"""Settings of the node, from the files that people write."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from receptor_runner.errors import ConfigError
from receptor_runner.node.settings import LogLevel, WorkCommand, find_default_data_dir, read_settings
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


def test_receptors_own_work_type_is_refused(tmp_path: Path) -> None:
    """A work-command cannot be called `remote`, as with the daemon."""
    text = INTRODUCTION.replace("worktype: ansible-runner", "worktype: remote")
    with pytest.raises(ConfigError, match="the work type remote is Receptor's own"):
        read_settings(_write(tmp_path, text))


def test_node_needs_no_name(tmp_path: Path) -> None:
    """Without a node block the node is called like the machine, as the daemon does."""
    settings = read_settings(_write(tmp_path, "- control-service: {filename: s}\n"))
    assert settings.node_id == socket.gethostname()


def test_default_data_directory_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units live below XDG_STATE_HOME, or below the home directory without it."""
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert find_default_data_dir() == Path("/home/somebody/.local/state/receptor-runner/node")


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
    ("text", "message"),
    [
        ("- node: {id: a}\n", "nobody could reach the node"),
        ("- control-service: {service: control}\n", "nobody could reach the node"),
        (SOCKET + "- node: {id: LocalHost}\n", "the id localhost is reserved"),
        (SOCKET + "- node: {id: a/b}\n", "cannot be an id"),
        (SOCKET + "- node: {id: ..}\n", "cannot be an id"),
        (SOCKET + "- node: a\n- node: b\n", "only one node block"),
        (SOCKET + "- log-level: chatty\n", "chatty is not a level"),
        (SOCKET + "- work-command: {command: c}\n", "required parameter missing: worktype"),
        (SOCKET + "- work-command: {worktype: c}\n", "required parameter missing: command"),
        (SOCKET + 2 * "- work-command: {worktype: a, command: c}\n", "work type a is already registered"),
        (
            SOCKET + "- work-command: {worktype: a, command: c, verifysignature: true}\n",
            "verifies no signatures",
        ),
        ("- control-service: {filename: s, tls: x}\n", "has no TLS"),
        ("- control-service: {tcplisten: 0.0.0.0:7}\n", "loopback addresses only"),
        ("- control-service: {tcplisten: 127.evil.example:7}\n", "loopback addresses only"),
        ("- control-service: {tcplisten: x}\n", "has no port"),
        (f"- control-service: {{filename: /tmp/{'x' * 120}}}\n", "socket path is 125 bytes long"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, text: str, message: str) -> None:
    """What the node cannot do is refused before anything is opened."""
    with pytest.raises(ConfigError, match=message):
        read_settings(_write(tmp_path, text))
