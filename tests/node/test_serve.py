"""The life of the node: its sockets, its locks, its end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from receptor_runner.errors import ConfigError, NodeUnavailable
from receptor_runner.node.serve import serve
from receptor_runner.node.settings import ControlService, NodeSettings
from tests.harness import INTRODUCTION

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node.conftest import Daemon, DaemonFactory


def test_socket_has_its_permissions(make_daemon: DaemonFactory) -> None:
    """The socket has the configured mode, and by default is the owner's alone."""
    daemon = make_daemon("embedded")
    daemon.start()
    assert daemon.socket.stat().st_mode & 0o777 == 0o600
    daemon.end()
    daemon.config.write_text(daemon.config.read_text().replace("service: control,", 'permissions: "0660",'))
    daemon.start()
    assert daemon.socket.stat().st_mode & 0o777 == 0o660


def test_file_of_receptors_introduction_works(
    make_daemon: DaemonFactory,
) -> None:
    """With the file of Receptor's introduction the socket is in the current directory and the work type is offered."""
    daemon = make_daemon("embedded")
    daemon.environment["XDG_STATE_HOME"] = str(daemon.directory / "state")
    daemon.config.write_text(INTRODUCTION)
    daemon.start()
    status = daemon.ask_json("status")
    assert status["NodeID"] == "primary"
    assert isinstance(status["Advertisements"], list)
    assert status["Advertisements"][0]["WorkCommands"] == [{"WorkType": "ansible-runner", "Secure": False}]
    assert (daemon.directory / "state" / "receptor-runner" / "node" / "primary").is_dir()


def test_second_node_is_refused(daemon: Daemon) -> None:
    """A second node on the same socket ends with an error, and the first goes on."""
    second = subprocess.run(
        daemon.command, cwd=daemon.directory, capture_output=True, timeout=60, check=False
    )
    assert second.returncode != 0
    if daemon.is_embedded:
        assert second.returncode == NodeUnavailable.exit_code
        assert f"another node already serves the socket {daemon.socket}" in second.stderr.decode()
    assert daemon.ask("work list") == b"{}\n"


def test_second_node_on_the_same_units_is_refused(
    embedded: Daemon, documented: Callable[[str], None]
) -> None:
    """A node with another socket but the same units does not touch them."""
    documented("one-node-per-data-directory")
    with embedded.connect() as client:
        unit = embedded.open_upload(client, "cat")
        other = embedded.directory / "other"
        embedded.config.write_text(embedded.config.read_text().replace(f"{embedded.socket}", f"{other}"))
        second = subprocess.run(embedded.command, capture_output=True, timeout=60, check=False)
        assert second.returncode == NodeUnavailable.exit_code
        assert b"another node already serves the data directory" in second.stderr
        assert embedded.status(unit)["StateName"] == "Pending"


def test_stale_socket_is_replaced(daemon: Daemon) -> None:
    """A socket that a killed node left behind does not keep the next one from starting."""
    daemon.end(signal.SIGKILL)
    assert daemon.socket.exists()
    daemon.start()
    assert daemon.ask("work list") == b"{}\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_node_takes_its_socket_along(
    embedded: Daemon, documented: Callable[[str], None], number: signal.Signals
) -> None:
    """A node that is told to stop ends with status 0 and leaves no socket that does not answer."""
    documented("socket-removed")
    with embedded.connect():
        embedded.end(number)
    assert embedded.process is not None
    assert embedded.process.returncode == 0
    assert not embedded.socket.exists()


def test_stop_is_heard_in_the_wait_for_clients(short_dir: Path) -> None:
    """A signal that interrupts no wait of the system, as one that comes just before it, ends the node too."""
    service = ControlService(filename=short_dir / "s")
    settings = NodeSettings(node_id="n1", data_dir=short_dir, control_services=(service,))

    def stop() -> None:  # a signal that another thread takes is such a one
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    serve(settings, ready=threading.Timer(0.2, stop).start)
    assert not (short_dir / "s").exists()


def test_nothing_is_removed_for_a_socket(short_dir: Path, documented: Callable[[str], None]) -> None:
    """What stands where the socket is to be, and is none, stays as it is, and the node does not start."""
    documented("no-file-is-removed-for-a-socket")
    (short_dir / "directory").mkdir()
    (short_dir / "directory" / "file").write_text("precious")
    (short_dir / "link").symlink_to("nowhere")
    for name in ("directory", "directory/file", "link"):
        service = ControlService(filename=short_dir / name)
        settings = NodeSettings(node_id="n1", data_dir=short_dir, control_services=(service,))
        with pytest.raises(ConfigError, match="there is something else"):
            serve(settings)
    assert (short_dir / "directory" / "file").read_text() == "precious"
    assert (short_dir / "link").is_symlink()


def test_a_data_directory_that_cannot_be_made_is_an_error(short_dir: Path) -> None:
    """A data directory below a file is a configuration error in the system's words."""
    (short_dir / "file").touch()
    service = ControlService(filename=short_dir / "s")
    settings = NodeSettings(node_id="n1", data_dir=short_dir / "file" / "data", control_services=(service,))
    with pytest.raises(ConfigError, match="Not a directory"):
        serve(settings)


def test_socket_without_a_directory_is_an_error(short_dir: Path) -> None:
    """A socket in a directory that does not exist is a configuration error."""
    service = ControlService(filename=short_dir / "nowhere" / "s")
    settings = NodeSettings(node_id="n1", data_dir=short_dir, control_services=(service,))
    with pytest.raises(ConfigError, match="cannot lock the socket"):
        serve(settings)


def test_port_in_use_is_an_error(short_dir: Path) -> None:
    """A TCP port that somebody else has is a configuration error."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        service = ControlService(tcp_listen=taken.getsockname())
        settings = NodeSettings(node_id="n1", data_dir=short_dir, control_services=(service,))
        with pytest.raises(ConfigError, match="cannot open the TCP port"):
            serve(settings)


def test_runners_hold_nothing_of_the_node(embedded: Daemon) -> None:
    """A runner and its command inherit no descriptor of the node, so that nothing waits for them."""
    unit = embedded.submit("sh", "'exec sleep 600'")
    status = embedded.wait_for_state(unit, "Running")
    assert isinstance(status["ExtraData"], dict)
    unit_dir = embedded.units_dir / unit
    runner, command = int(status["ExtraData"]["Pid"]), int(str(status["Detail"]).rpartition(" ")[2])
    assert set(_open_files(runner)) == {os.devnull}
    assert set(_open_files(command)) == {str(unit_dir / "stdin"), str(unit_dir / "stdout")}


def _open_files(pid: int) -> list[str]:
    return [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
