"""The node killed and started again: what becomes of its units."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING

import psutil
import pytest
from tests.harness import is_running, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node.conftest import Daemon, DaemonFactory


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_running_units_go_on(daemon: Daemon, number: signal.Signals) -> None:
    """A running unit outlives its node; the next one finds it, streams on from an offset and sees its end."""
    unit = daemon.submit("sh", "'echo one; until test -e go; do sleep 0.05; done; echo two; exit 3'")
    daemon.wait_for_state(unit, "Running")
    daemon.restart(number)
    assert daemon.status(unit)["StateName"] == "Running"
    with daemon.connect() as client:
        daemon.open_results(client, unit, 4)
        (daemon.directory / "go").touch()
        assert client.read_all() == b"two\n"
    assert daemon.wait_for_state(unit, "Failed")["Detail"] == "exit status 3"


def test_units_that_ended_meanwhile_are_known(daemon: Daemon) -> None:
    """A unit that ended while no node was there has its result afterwards."""
    unit = daemon.submit("sh", "'until test -e go; do sleep 0.05; done; echo two'")
    daemon.wait_for_state(unit, "Running")
    daemon.end(signal.SIGKILL)
    (daemon.directory / "go").touch()
    wait_until(lambda: daemon.read_status_file(unit)["State"] == 2, "the runner recorded the end")
    daemon.start()
    assert daemon.status(unit)["Detail"] == "exit status 0"
    assert daemon.results(unit) == b"two\n"


def test_complete_units_stay(daemon: Daemon) -> None:
    """A complete unit keeps its state and its results over a restart."""
    unit = daemon.submit("cat", payload=b"kept")
    daemon.wait_for_state(unit, "Succeeded")
    daemon.restart()
    assert daemon.status(unit)["StateName"] == "Succeeded"
    assert daemon.results(unit) == b"kept"
    assert daemon.ask_json(f"work release {unit}") == {"released": unit}


def test_units_without_their_payload_fail(daemon: Daemon) -> None:
    """A unit whose payload was still coming when the node was killed fails and never runs."""
    with daemon.connect() as client:
        unit = daemon.open_upload(client, "stdin-sh")
        client.send(b"touch ran\n")
        daemon.restart()
    status = daemon.status(unit)
    assert (status["StateName"], status["Detail"]) == ("Failed", "Pending at restart")
    assert not (daemon.directory / "ran").exists()
    assert daemon.results(unit) == b""


@pytest.mark.parametrize("command", ["cancel", "release"])
def test_found_units_can_be_ended(daemon: Daemon, command: str) -> None:
    """A unit that an earlier node started can be cancelled and released."""
    unit = daemon.submit("sh", "'exec sleep 600'")
    detail = str(daemon.wait_for_state(unit, "Running")["Detail"])
    daemon.restart()
    verb = "cancelled" if command == "cancel" else "released"
    assert daemon.ask_json(f"work {command} {unit}") == {verb: unit}
    pid = int(detail.rpartition(" ")[2])
    wait_until(lambda: not is_running(pid), "the command is gone")
    if command == "cancel":
        assert daemon.wait_for_state(unit, "Canceled")["Detail"] == "Canceled"
    else:
        assert daemon.ask("work list") == b"{}\n"


def test_unit_whose_runner_died_meanwhile_fails(daemon: Daemon, difference: Callable[[str], bool]) -> None:
    """A unit that lost its runner while no node was there fails, and what is left of it ends."""
    unit = daemon.submit("sh", "'echo early; exec sleep 600'")
    running = daemon.wait_for_state(unit, "Running")
    daemon.end(signal.SIGKILL)
    assert isinstance(running["ExtraData"], dict)
    psutil.Process(running["ExtraData"]["Pid"]).kill()
    daemon.start()
    if difference("dead-runner-fails"):
        status = daemon.wait_for_state(unit, "Failed")
        assert status["Detail"] == "Command runner died: the outcome of the command is unknown"
        assert daemon.results(unit) == b"early\n"
        assert daemon.list_processes() == []


def test_pid_of_a_stranger_is_left_alone(embedded: Daemon) -> None:
    """After a reboot another process may have the runner's pid: it is neither adopted nor killed."""
    unit = embedded.submit("cat")
    embedded.wait_for_state(unit, "Succeeded")
    embedded.end()
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as stranger:
        status = {"State": 1, "Detail": f"Running: PID {stranger.pid}", "StdoutSize": 0, "WorkType": "cat"}
        status["ExtraData"] = {"Pid": stranger.pid, "Params": ""}
        (embedded.units_dir / unit / "status").write_text(json.dumps(status) + "\n")
        embedded.start()
        embedded.wait_for_state(unit, "Failed")
        assert embedded.ask_json(f"work release {unit}") == {"released": unit}
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("left", ["", '{"State":1,"Det', "null\n", '{"State":9}\n', "\x00" * 60])
def test_damaged_status_is_a_failure(daemon: Daemon, difference: Callable[[str], bool], left: str) -> None:
    """What a crash left in a status file is a failed unit, whose output can be read and which can be released."""
    unit = daemon.submit("cat", payload=b"output")
    daemon.wait_for_state(unit, "Succeeded")
    daemon.end(signal.SIGKILL)
    (daemon.units_dir / unit / "status").write_text(left)
    daemon.start()
    if difference("damaged-status"):
        assert str(daemon.status(unit)["Detail"]).startswith("Failed to restart: ")
        assert daemon.status(unit)["StateName"] == "Failed"
        assert daemon.results(unit) == b"output"
        assert daemon.ask_json(f"work release {unit}") == {"released": unit}


def test_unit_of_a_removed_work_type(daemon: Daemon) -> None:
    """A unit whose work type is gone from the configuration is listed, readable and releasable."""
    unit = daemon.submit("cat", payload=b"output")
    daemon.wait_for_state(unit, "Succeeded")
    daemon.end()
    daemon.config.write_text(daemon.config.read_text().replace("worktype: cat", "worktype: dog"))
    daemon.start()
    assert daemon.status(unit)["ExtraData"] == "Unknown WorkType"
    assert daemon.status(unit)["WorkType"] == "cat"
    assert daemon.results(unit) == b"output"
    assert daemon.ask_json(f"work release {unit}") == {"released": unit}


def test_half_made_units_of_a_killed_node_are_removed(
    embedded: Daemon, documented: Callable[[str], None]
) -> None:
    """A unit directory without a status, half made or half removed, is gone after a restart."""
    documented("half-made-units-removed")
    embedded.end(signal.SIGKILL)
    (embedded.units_dir / "AAAAAAAA").mkdir()
    (embedded.units_dir / "AAAAAAAA" / "stdout").touch()
    (embedded.units_dir / "not a unit").mkdir()
    embedded.start()
    assert embedded.ask("work list") == b"{}\n"
    assert [path.name for path in embedded.units_dir.iterdir()] == ["not a unit"]


@pytest.mark.receptor
@pytest.mark.parametrize(
    "kinds", [("embedded", "receptor"), ("receptor", "embedded")], ids=["to-receptor", "to-embedded"]
)
def test_units_move_between_the_daemons(make_daemon: DaemonFactory, kinds: tuple[str, str]) -> None:
    """The layout on disk is shared: the units of one daemon are those of the other after a switch."""
    first, second = (make_daemon(kind) for kind in kinds)
    second.config.write_text(second.config.read_text().replace(str(second.datadir), str(first.datadir)))
    first.start()
    done = first.submit("cat", payload=b"moved")
    running = first.submit("sh", "'echo one; until test -e go; do sleep 0.05; done; echo two'")
    stopped = first.submit("sh", "'exec sleep 600'")
    first.wait_for_state(stopped, "Running")
    first.wait_for_state(done, "Succeeded")
    first.wait_for_state(running, "Running")
    first.end()
    second.start()
    assert second.results(done) == b"moved"
    assert second.ask_json(f"work cancel {stopped}") == {"cancelled": stopped}
    assert second.wait_for_state(stopped, "Canceled")["Detail"] == "Canceled"
    assert second.status(running)["StateName"] == "Running"
    (first.directory / "go").touch()
    assert second.results(running) == b"one\ntwo\n"
    assert second.wait_for_state(running, "Succeeded")["StdoutSize"] == 8
