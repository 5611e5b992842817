"""The unmodified receptorctl, command line and Python, against both daemons."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from receptorctl.socket_interface import ReceptorControl

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node.conftest import Daemon

RECEPTORCTL = Path(sys.executable).with_name("receptorctl")
MISMATCH = "different versions"


class Ctl:
    """receptorctl, aimed at one socket."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon

    def command(self, *arguments: str) -> list[str]:
        return [str(RECEPTORCTL), "--socket", str(self.daemon.socket), *arguments]

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.command(*arguments), input=stdin, capture_output=True, timeout=60, check=False
        )

    def read(self, *arguments: str, stdin: bytes = b"") -> str:
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    def submit(self, *arguments: str) -> str:
        match = re.fullmatch(
            r"Result: Job Started\nUnit ID: (\w{8})\n", self.read("work", "submit", *arguments)
        )
        assert match is not None
        return match.group(1)


@pytest.fixture
def ctl(daemon: Daemon) -> Ctl:
    """receptorctl against each of the two daemons."""
    return Ctl(daemon)


def test_status_shows_the_node(ctl: Ctl) -> None:
    """`status` prints node, service and work types, and `--json` all eight fields."""
    text = ctl.read("status")
    assert "Node ID: n1\n" in text
    assert re.search(
        r"^n1 +control +Stream +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +\{'type': 'Control Service'\}$", text, re.M
    )
    assert re.search(r"^n1 +.*\bcat, ", text, re.M)
    assert len(json.loads(ctl.read("status", "--json"))) == 8


def test_client_sees_its_own_version(ctl: Ctl, difference: Callable[[str], bool]) -> None:
    """receptorctl prints no warning about versions."""
    done = ctl.run("version")
    lines = done.stdout.decode().split()
    assert lines[0] == "receptorctl"
    if difference("version"):
        assert lines == ["receptorctl", lines[1], "receptor", lines[1]]
        assert done.stderr == b""


def test_ping_and_traceroute(ctl: Ctl) -> None:
    """The node reaches itself and nobody else."""
    assert re.fullmatch(
        r"(Reply from n1 in [\d.]+(ns|µs|ms|s)\n){2}", ctl.read("ping", "n1", "--count", "2", "--delay", "0")
    )
    assert ctl.run("ping", "nosuch", "--count", "1").returncode == 2
    assert re.fullmatch(r"0: n1 in [\d.]+(ns|µs|ms|s)\n", ctl.read("traceroute", "n1"))
    assert b"1: Error no route to node" in ctl.run("traceroute", "nosuch").stderr


def test_reload_compares_the_file(ctl: Ctl) -> None:
    """An unchanged file reloads; added or removed blocks want a restart, and broken YAML is told apart."""
    ctl.daemon.await_reload()
    config = ctl.daemon.config
    original = config.read_text()
    assert ctl.read("reload") == "Reload successful\n"
    config.write_text(original + "- work-command: {worktype: new, command: new}\n")
    assert ctl.run("reload").returncode == 3
    config.write_text(original + "- [\n")
    assert ctl.run("reload").returncode == 4


def test_reload_notices_a_removed_block(ctl: Ctl, difference: Callable[[str], bool]) -> None:
    """A removed work type wants a restart, also after an earlier reload was refused."""
    ctl.daemon.await_reload()
    config = ctl.daemon.config
    original = config.read_text()
    config.write_text(original + "- work-command: {worktype: new, command: new}\n")
    assert ctl.run("reload").returncode == 3
    config.write_text(original.replace("- work-command: {worktype: cat, command: cat}\n", ""))
    done = ctl.run("reload")
    if difference("reload-forgets-nothing"):
        assert done.returncode == 3
        assert b"action 'work-command' was removed" in done.stderr


def test_submit_follows(ctl: Ctl) -> None:
    """`--follow` prints what the command wrote, from a pipe, a file, a literal or nothing, and `--rm` releases."""
    payload = ctl.daemon.directory / "payload"
    payload.write_bytes(bytes(range(256)) * 100)
    done = ctl.run("work", "submit", "cat", "-f", "-p", str(payload))
    assert done.stdout == payload.read_bytes()
    assert (
        ctl.read("work", "submit", "cat", "--follow", "--payload", "-", stdin=b"from stdin") == "from stdin"
    )
    assert ctl.read("work", "submit", "cat", "-f", "-l", "literal", "--node", "n1") == "literal\n"
    assert ctl.read("work", "submit", "cat", "-f", "-n") == ""
    text = ctl.read("work", "submit", "cat", "-f", "--rm", "-l", "x")
    assert re.fullmatch(r"x\n\(\w{8}, released\)\n", text)
    assert len(json.loads(ctl.read("work", "list"))) == 4


def test_submit_passes_params(ctl: Ctl) -> None:
    """Parameters arrive from `-a`, from a file and from the end of the command line."""
    (ctl.daemon.directory / "params").write_text("from file")
    assert ctl.read("work", "submit", "words", "-f", "-n", "-a", "params='a b' c") == "a b|c|"
    assert (
        ctl.read("work", "submit", "words", "-fn", "-a", f"params=@{ctl.daemon.directory}/params")
        == "from|file|"
    )
    assert ctl.read("work", "submit", "words", "-fn", "--", "x", "-y") == "x|-y|"


def test_failed_unit_is_an_error(ctl: Ctl) -> None:
    """Following a unit that fails exits 1 and names the exit status; a refused submit exits 101."""
    done = ctl.run("work", "submit", "sh", "-fn", "'echo out; exit 7'")
    assert (done.returncode, done.stdout) == (1, b"out\n")
    assert b"Remote unit failed: exit status 7" in done.stderr
    refused = ctl.run("work", "submit", "nosuch", "-n")
    assert refused.returncode == 101
    assert b"unknown work type nosuch" in refused.stderr


def test_list_results_cancel_release(ctl: Ctl) -> None:
    """The life of units by command: listed, read, cancelled, released one by one, by force and all together."""
    done = ctl.submit("cat", "-l", "kept")
    running = [ctl.submit("sh", "-n", "'exec sleep 600'") for _ in range(2)]
    ctl.daemon.wait_for_state(done, "Succeeded")
    assert sorted(ctl.read("work", "list", "-q").split()) == sorted([done, *running])
    assert list(json.loads(ctl.read("work", "list", "--unit_id", done))) == [done]
    assert list(json.loads(ctl.read("work", "list", "--node", "n1", "--unit_id", done))) == [done]
    assert ctl.read("work", "results", done) == "kept\n"
    assert (
        ctl.read("work", "cancel", *running)
        == f"Cancelled:\n({running[0]}, cancelled)\n({running[1]}, cancelled)\n"
    )
    ctl.daemon.wait_for_state(running[0], "Canceled")
    assert ctl.read("work", "release", done) == f"Released:\n({done}, released)\n"
    assert ctl.read("work", "release", "--force", running[0]) == f"Released:\n({running[0]}, released)\n"
    assert ctl.read("work", "release", "--all") == f"Released:\n({running[1]}, released)\n"
    assert json.loads(ctl.read("work", "list")) == {}
    assert ctl.run("work", "release", done).returncode == 1
    assert ctl.run("work", "results", done).returncode == 1


def test_connect_bridges_a_terminal(ctl: Ctl) -> None:
    """`connect` bridges a terminal to the node's control service."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        ctl.command("connect", "n1", "control"), stdin=follower, stdout=follower, stderr=follower
    ) as process:
        os.close(follower)
        seen = b""
        os.write(leader, b"work list\n")
        while b"{}" not in seen and select.select([leader], [], [], 30)[0]:
            seen += os.read(leader, 4096)
        process.kill()
    os.close(leader)
    assert b"{}" in seen


def test_python_interface(daemon: Daemon) -> None:
    """ReceptorControl submits, reads from an offset and asks on one connection after the other."""
    control = ReceptorControl(str(daemon.socket))
    try:
        reply = control.submit_work("cat", b"hello world", node="n1")
        assert reply["result"] == "Job Started"
        results = control.get_work_results(reply["unitid"], startpos=6)
        assert results.read() == b"world"
        results.close()
        assert control.simple_command("ping n1")["Success"] is True
        with pytest.raises(RuntimeError, match="unknown work unit nosuchid"):
            control.simple_command("work status nosuchid")
        assert control.simple_command(f"work status {reply['unitid']}")["State"] == 2
        control.connect_to_service("n1", "control", "")
        control.handshake()
        assert list(control.simple_command("work list")) == [reply["unitid"]]
    finally:
        control.close()


def test_tcp_socket(embedded_tcp: Daemon) -> None:
    """receptorctl reaches the node over TCP on the loopback."""
    done = subprocess.run(
        [
            RECEPTORCTL,
            "--socket",
            f"tcp://127.0.0.1:{embedded_tcp.tcp_port}",
            "work",
            "submit",
            "cat",
            "-fl",
            "x",
        ],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"x\n", b"")
