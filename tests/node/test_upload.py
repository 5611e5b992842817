"""Submitting: the payload, its end, and everything that may go wrong before the command starts."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.harness import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.harness import ControlClient
    from tests.node.conftest import Daemon


def test_unit_goes_through_the_daemons_states(daemon: Daemon) -> None:
    """A unit waits for its payload, runs, and ends with the command's exit status, on disk as in the reply."""
    with daemon.connect() as client:
        unit = daemon.open_upload(client, "sh", "'cat; sleep 1; exit 3'")
        waiting = daemon.status(unit)
        assert (waiting["StateName"], waiting["Detail"]) == ("Pending", "Waiting for Input Data")
        assert waiting["ExtraData"] == {"Pid": 0, "Params": "-c 'cat; sleep 1; exit 3'"}
        client.send(b"payload")
        client.half_close()
        assert client.read_all() == f'{{"result":"Job Started","unitid":"{unit}"}}\n'.encode()
    running = daemon.wait_for_state(unit, "Running")
    assert str(running["Detail"]).startswith("Running: PID ")
    assert isinstance(running["ExtraData"], dict)
    assert running["ExtraData"]["Pid"] > 0
    ended = daemon.wait_for_state(unit, "Failed")
    daemon.wait_for_runner_end(unit)
    assert (ended["State"], ended["Detail"], ended["StdoutSize"]) == (3, "exit status 3", 7)


def test_unit_has_the_daemons_layout(daemon: Daemon) -> None:
    """A unit is a directory of four files that only the owner reads."""
    unit = daemon.submit("cat", payload=b"hello\nworld")
    daemon.wait_for_state(unit, "Succeeded")
    daemon.wait_for_runner_end(unit)
    unit_dir = daemon.units_dir / unit
    assert sorted(path.name for path in unit_dir.iterdir()) == ["status", "status.lock", "stdin", "stdout"]
    assert unit_dir.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in unit_dir.iterdir()} == {0o600}
    assert (unit_dir / "stdin").read_bytes() == (unit_dir / "stdout").read_bytes() == b"hello\nworld"
    assert (unit_dir / "status").read_text() == (
        '{"State":2,"Detail":"exit status 0","StdoutSize":11,"WorkType":"cat","ExtraData":null}\n'
    )


def test_request_and_payload_may_come_in_one_write(daemon: Daemon) -> None:
    """What follows the request line is payload, to the byte."""
    with daemon.connect() as client:
        client.send(b'{"command":"work","subcommand":"submit","node":"n1","worktype":"cat"}\nab\r\ncd')
        client.half_close()
        unit = client.read_line().split()[5].rstrip(b".").decode()
        client.read_line()
    assert daemon.results(unit) == b"ab\r\ncd"


WORDS = {
    "a b": "a|b|",
    "a  b": "a|b|",
    "'a b' c": "a b|c|",
    '"a \\" b" c': 'a " b|c|',
    "a\\ b": "a b|",
    "a'b'c": "abc|",
    "a#b #c d": "a#b|",
    "'' x": "|x|",
    '"a\\n"': "an|",
    "$HOME `id` *": "$HOME|`id`|*|",
    "<&> \u00e9": "<&>|\u00e9|",
}


def test_params_are_split_as_by_the_daemon(daemon: Daemon) -> None:
    """Runtime parameters become words by the daemon's rules, and no shell sees them."""
    request = {"command": "work", "subcommand": "submit", "node": "n1", "worktype": "words"}
    units = {}
    for params in WORDS:
        with daemon.connect() as client:
            line = json.dumps({**request, "params": params}).encode()
            units[params] = client.ask(line).split()[5].rstrip(b".").decode()
            client.half_close()
            client.read_line()
    assert {params: daemon.results(unit).decode() for params, unit in units.items()} == WORDS


FAILURES = {
    ("missing", ""): "fork/exec /nonexistent/cmd: no such file or directory",
    ("nowhere", ""): 'exec: "no-such-command-anywhere": executable file not found in $PATH',
    ("sh", "'kill -9 $$'"): "signal: killed",
    ("sh", "'kill -15 $$'"): "signal: terminated",
    ("sh", "'unclosed"): "EOF found when expecting closing quote",
    ("sh", "x\\"): "EOF found after escape character",
}


def test_failures_are_named_in_the_daemons_words(daemon: Daemon) -> None:
    """A command that cannot start or is killed leaves a Failed unit whose Detail says why."""
    units = {failure: daemon.submit(*failure) for failure in FAILURES}
    found = {failure: daemon.wait_for_state(unit, "Failed")["Detail"] for failure, unit in units.items()}
    assert found == FAILURES


def test_refused_params_leave_nothing_behind(daemon: Daemon, difference: Callable[[str], bool]) -> None:
    """Runtime parameters of a work type that allows none are refused."""
    assert daemon.ask("work submit localhost cat x") == b"ERROR: extra params provided but not allowed\n"
    assert daemon.ask("work list") == b"{}\n"
    if difference("refused-params-leave-no-unit"):
        assert list(daemon.units_dir.iterdir()) == []


def test_submit_to_another_node(daemon: Daemon, difference: Callable[[str], bool]) -> None:
    """The embedded node knows no other node and says so before it takes a payload."""
    with daemon.connect() as client:
        answer = client.ask(b"work submit elsewhere cat")
    if difference("remote-work-refused"):
        assert answer == b"ERROR: no route to node elsewhere: this node is local-only\n"
    else:
        assert answer.startswith(b"Work unit created with ID ")


def test_remote_is_no_work_type(daemon: Daemon, difference: Callable[[str], bool]) -> None:
    """The daemon's internal work type cannot be submitted to the embedded node."""
    with daemon.connect() as client:
        answer = client.ask(b"work submit localhost remote")
    if difference("remote-is-no-work-type"):
        assert answer == b"ERROR: unknown work type remote\n"
    else:
        assert answer.startswith(b"Work unit created with ID ")


UPLOADER = """
import signal, socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
lines = client.makefile("rb")
lines.readline()
client.sendall(b"work submit localhost stdin-sh\\n")
unit = lines.readline().split()[5].decode().rstrip(".")
client.sendall(b"touch ran\\n")
print(unit, flush=True)
signal.pause()
"""


def test_killed_client_runs_nothing(daemon: Daemon, difference: Callable[[str], bool]) -> None:
    """A client killed in the middle of its payload leaves a unit that says so and never runs."""
    with subprocess.Popen(
        [sys.executable, "-c", UPLOADER, str(daemon.socket)], stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout is not None
        unit = client.stdout.readline().strip()
        client.kill()
    ended = daemon.wait_for_state(unit, "Succeeded", "Failed")
    if difference("aborted-upload-never-runs"):
        assert ended["StateName"] == "Failed"
        assert str(ended["Detail"]).startswith("Error reading input data: the client left ")
    assert (daemon.directory / "ran").exists() is not daemon.is_embedded


@pytest.mark.parametrize("half_close_first", [False, True])
@pytest.mark.parametrize("transport", ["unix", "tcp"])
def test_client_that_does_not_wait_runs_nothing(
    embedded_tcp: Daemon, connect_tcp: Callable[[], ControlClient], transport: str, half_close_first: bool
) -> None:
    """A client that is gone before the reply may have sent half a payload: its unit fails, on TCP too."""
    client = embedded_tcp.connect() if transport == "unix" else connect_tcp()
    unit = embedded_tcp.open_upload(client, "stdin-sh")
    client.send(b"touch ran\n")
    if half_close_first:
        with embedded_tcp.paused():
            client.half_close()
            client.close()
    client.close()
    assert embedded_tcp.wait_for_state(unit, "Failed", "Succeeded")["StateName"] == "Failed"
    assert not (embedded_tcp.directory / "ran").exists()


def test_reset_upload_runs_nothing(embedded_tcp: Daemon, connect_tcp: Callable[[], ControlClient]) -> None:
    """A connection that breaks during the payload fails the unit."""
    client = connect_tcp()
    unit = embedded_tcp.open_upload(client, "stdin-sh")
    client.send(b"touch ran\n")
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert embedded_tcp.wait_for_state(unit, "Failed")["State"] == 3
    assert not (embedded_tcp.directory / "ran").exists()


@pytest.mark.parametrize("command", ["cancel", "release", "force-release"])
def test_unit_that_waits_can_be_taken_back(
    daemon: Daemon, difference: Callable[[str], bool], command: str
) -> None:
    """Cancelling or releasing a unit whose payload is still coming keeps it from ever running."""
    with daemon.connect() as client:
        unit = daemon.open_upload(client, "stdin-sh")
        client.send(b"touch ran\n")
        verb = "cancelled" if command == "cancel" else "released"
        assert daemon.ask_json(f"work {command} {unit}") == {verb: unit}
        client.half_close()
        answer = client.read_all()
    if difference("cancel-before-start"):
        assert answer == f"ERROR: work unit {unit} was cancelled before it started\n".encode()
        assert not (daemon.directory / "ran").exists()
        if command == "cancel":
            assert daemon.status(unit)["StateName"] == "Canceled"
    else:
        assert answer == f'{{"result":"Job Started","unitid":"{unit}"}}\n'.encode()


def test_payload_that_cannot_be_kept_fails_the_unit(
    embedded: Daemon, documented: Callable[[str], None]
) -> None:
    """A payload that the disk refuses gets one error, and none of it is taken for requests."""
    documented("payload-is-never-a-request")
    with embedded.connect() as client:
        unit = embedded.open_upload(client, "cat")
        embedded.limit_file_size(100_000)
        client.send(b"work list\n" * 100_000)
        client.half_close()
        answer = client.read_all()
    stdin = embedded.units_dir / unit / "stdin"
    assert answer == f"ERROR: write {stdin}: file too large\n".encode()
    status = embedded.status(unit)
    assert (status["StateName"], status["StdoutSize"]) == ("Failed", 0)
    assert status["Detail"] == f"Error reading input data: write {stdin}: file too large"


def test_directory_that_cannot_be_written_makes_no_unit(embedded: Daemon) -> None:
    """A unit that cannot be made is one error, and the connection goes on."""
    embedded.units_dir.rename(embedded.directory / "away")
    embedded.units_dir.touch()
    with embedded.connect() as client:
        assert client.ask(b"work submit localhost cat").startswith(b"ERROR: ")
        embedded.units_dir.unlink()
        (embedded.directory / "away").rename(embedded.units_dir)
        assert client.ask(b"work list") == b"{}\n"


def test_large_payload_keeps_memory_flat(embedded: Daemon, random_file: Path) -> None:
    """A quarter of a gibibyte goes in and out byte for byte while the node stays small."""
    before = embedded.measure_memory_mib()
    _check_round_trip(embedded, random_file, repeat=16)
    assert embedded.measure_memory_mib() - before < 64


@pytest.mark.slow
def test_huge_payload_keeps_memory_flat(embedded: Daemon, random_file: Path) -> None:
    """A gibibyte goes in and out byte for byte while the node stays small."""
    before = embedded.measure_memory_mib()
    _check_round_trip(embedded, random_file, repeat=64)
    assert embedded.measure_memory_mib() - before < 64


def _check_round_trip(daemon: Daemon, chunk_file: Path, repeat: int) -> None:
    chunk = chunk_file.read_bytes()
    with daemon.connect() as client:
        unit = daemon.open_upload(client, "cat")
        for _ in range(repeat):
            client.send(chunk)
        client.half_close()
        client.read_line()
    with daemon.connect() as client:
        daemon.open_results(client, unit)
        for _ in range(repeat):
            assert client.read(len(chunk)) == chunk
        assert client.read_all() == b""
    assert daemon.status(unit)["StdoutSize"] == len(chunk) * repeat


def test_node_survives_a_lack_of_descriptors(embedded: Daemon) -> None:
    """While more clients come than there are descriptors, units end as they should, and nothing is forgotten."""
    unit = embedded.submit("sh", "'until test -e go; do sleep 0.05; done; echo done'")
    embedded.wait_for_state(unit, "Running")
    embedded.limit_open_files(embedded.count_open_files() + 4)
    clients = [embedded.try_connect() for _ in range(30)]
    (embedded.directory / "go").touch()
    wait_until(lambda: embedded.read_status_file(unit)["State"] == 2, "the runner recorded the end")
    for client in clients:
        client.close()
    embedded.wait_for_runner_end(unit)
    assert embedded.status(unit)["Detail"] == "exit status 0"
    assert embedded.results(unit) == b"done\n"


@pytest.mark.slow
def test_hundred_units_at_once(embedded: Daemon) -> None:
    """A hundred units submitted together all run, each with its own payload and output."""
    clients = [embedded.connect() for _ in range(100)]
    units = [embedded.open_upload(client, "cat") for client in clients]
    for number, client in enumerate(clients):
        client.send(f"payload {number}".encode())
        client.half_close()
    for client in clients:
        assert b"Job Started" in client.read_all()
        client.close()
    assert [embedded.results(unit) for unit in units] == [
        f"payload {number}".encode() for number in range(100)
    ]
    listed = embedded.ask_json("work list")
    assert {unit: status["StateName"] for unit, status in listed.items()} == dict.fromkeys(units, "Succeeded")  # type: ignore[index]


def test_commands_get_default_signals(daemon: Daemon) -> None:
    """The command starts with no signal blocked or ignored, whatever the node's own are."""
    unit = daemon.submit("sh", "'exec grep -E ^Sig[BI] /proc/self/status'")
    fields = daemon.results(unit).decode().split()
    ordinary = (1 << 31) - 1  # above are those of the C library and the real-time signals
    assert [fields[0], fields[2]] == ["SigBlk:", "SigIgn:"]
    assert [int(mask, 16) & ordinary for mask in fields[1::2]] == [0, 0]


def test_command_leads_no_session_and_has_the_nodes_directory(daemon: Daemon) -> None:
    """The command runs in the node's working directory, in the session of its runner."""
    unit = daemon.submit("sh", "'pwd; echo $$; sleep 30'")
    status = daemon.wait_for_state(unit, "Running")
    wait_until(lambda: daemon.status(unit)["StdoutSize"], "it wrote")
    assert isinstance(status["ExtraData"], dict)
    runner = status["ExtraData"]["Pid"]
    with daemon.connect() as client:
        daemon.open_results(client, unit)
        assert client.read_line().decode().strip() == str(daemon.directory)
        pid = int(client.read_line())
    assert str(status["Detail"]) == f"Running: PID {pid}"
    assert os.getsid(pid) == runner == os.getsid(runner)
    os.kill(runner, signal.SIGTERM)
    assert daemon.wait_for_state(unit, "Failed")["Detail"] == "Killed"
