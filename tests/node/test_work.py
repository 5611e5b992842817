"""list, status, cancel and release, against both daemons."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psutil
import pytest
from tests.harness import is_running, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node.conftest import Daemon


def test_list_shows_all_or_one(daemon: Daemon) -> None:
    """`work list` shows every unit, or the one that is named, with the keys of the daemon."""
    units = sorted(daemon.submit("cat", payload=b"x") for _ in range(2))
    for unit in units:
        daemon.wait_for_state(unit, "Succeeded")
        daemon.wait_for_runner_end(unit)
    one = (
        '{"Detail":"exit status 0","ExtraData":null,"State":2,"StateName":"Succeeded","StdoutSize":1,'
        '"WorkType":"cat"}'
    )
    assert daemon.ask(f"work status {units[0]}").decode() == f"{one}\n"
    assert daemon.ask(f"work list {units[0]}").decode() == f'{{"{units[0]}":{one}}}\n'
    assert daemon.ask("work list").decode() == f'{{"{units[0]}":{one},"{units[1]}":{one}}}\n'
    request = json.dumps({"command": "work", "subcommand": "list", "unitid": units[1]})
    assert daemon.ask(request).decode() == f'{{"{units[1]}":{one}}}\n'


def test_running_unit_shows_pid_before_params(daemon: Daemon) -> None:
    """The details of a running unit are in the daemon's order and escaped as there."""
    unit = daemon.submit("sh", "'exec sleep 600 # <&> \u00e9'")
    daemon.wait_for_state(unit, "Running")
    answer = daemon.ask(f"work status {unit}").decode()
    assert '"ExtraData":{"Pid":' in answer
    assert '"Params":"-c \'exec sleep 600 # \\u003c\\u0026\\u003e \u00e9\'"}' in answer


def test_cancel_ends_a_running_unit(daemon: Daemon, difference: Callable[[str], bool]) -> None:
    """Cancel answers once the command is gone; the unit is Canceled, for the node and on disk."""
    unit = daemon.submit("sh", "'exec sleep 600'")
    detail = str(daemon.wait_for_state(unit, "Running")["Detail"])
    assert daemon.ask_json(f"work cancel {unit}") == {"cancelled": unit}
    assert not is_running(int(detail.rpartition(" ")[2]))
    status = daemon.wait_for_state(unit, "Canceled")
    assert (status["State"], status["Detail"]) == (4, "Canceled")
    if difference("canceled-on-disk"):
        assert daemon.read_status_file(unit)["State"] == 4
    assert daemon.ask_json(f"work cancel {unit}") == {"cancelled": unit}


def test_cancel_of_a_complete_unit_changes_nothing(daemon: Daemon) -> None:
    """A unit that has ended stays as it is."""
    unit = daemon.submit("sh", "'exit 4'")
    before = daemon.wait_for_state(unit, "Failed")["Detail"]
    # until the daemon knows of the end of the unit's runner, a cancel still counts
    wait_until(lambda: not daemon.status(unit)["ExtraData"], "the runner has ended")
    assert daemon.ask_json(f"work cancel {unit}") == {"cancelled": unit}
    assert daemon.status(unit)["StateName"] == "Failed"
    assert daemon.status(unit)["Detail"] == before


GRANDCHILDREN = "'(trap \"\" INT; setsid sleep 601 & sleep 602 & wait) & echo $$; exec sleep 603'"


def test_cancel_ends_the_whole_tree(daemon: Daemon, difference: Callable[[str], bool]) -> None:
    """After a cancel none of the command's processes lives, whatever sessions they made."""
    unit = daemon.submit("sh", GRANDCHILDREN)
    daemon.wait_for_state(unit, "Running")
    wait_until(lambda: len(daemon.list_processes()) >= 5, "the whole tree is there")
    assert daemon.ask_json(f"work cancel {unit}") == {"cancelled": unit}
    if difference("whole-tree-ends"):
        assert daemon.list_processes() == []


def test_command_may_end_in_good_order(daemon: Daemon) -> None:
    """The command is interrupted first, and what it then writes is part of its results."""
    unit = daemon.submit("sh", "'trap \"echo bye; exit 5\" INT; echo up; while :; do sleep 0.1; done'")
    wait_until(lambda: daemon.status(unit)["StdoutSize"], "the trap is set")
    daemon.ask_json(f"work cancel {unit}")
    status = daemon.wait_for_state(unit, "Canceled")
    assert (daemon.units_dir / unit / "stdout").read_bytes() == b"up\nbye\n"
    if daemon.is_embedded:
        assert status["StdoutSize"] == 7


@pytest.mark.slow
def test_stubborn_command_is_killed(embedded: Daemon) -> None:
    """A command that ignores the interrupt is killed after ten seconds."""
    unit = embedded.submit("sh", "'trap \"\" INT TERM; while :; do sleep 0.1; done'")
    detail = str(embedded.wait_for_state(unit, "Running")["Detail"])
    assert embedded.ask_json(f"work cancel {unit}") == {"cancelled": unit}
    assert not is_running(int(detail.rpartition(" ")[2]))


@pytest.mark.parametrize("command", ["release", "force-release"])
def test_release_removes_a_unit(daemon: Daemon, command: str) -> None:
    """A released unit is gone, from the list and from the disk, running or not, and a second release fails."""
    done = daemon.submit("cat")
    running = daemon.submit("sh", "'exec sleep 600'")
    daemon.wait_for_state(done, "Succeeded")
    detail = str(daemon.wait_for_state(running, "Running")["Detail"])
    for unit in (done, running):
        assert daemon.ask_json(f"work {command} {unit}") == {"released": unit}
        assert daemon.ask(f"work {command} {unit}") == f"ERROR: unknown work unit {unit}\n".encode()
        assert not (daemon.units_dir / unit).exists()
    assert not is_running(int(detail.rpartition(" ")[2]))
    assert daemon.ask("work list") == b"{}\n"


@pytest.mark.parametrize("subcommand", ["cancel", "release", "force-release", "results"])
def test_unexpected_signature_is_refused(daemon: Daemon, subcommand: str) -> None:
    """No work type here verifies signatures, so one is an error."""
    unit = daemon.submit("cat")
    request = {"command": "work", "subcommand": subcommand, "unitid": unit, "signature": "x", "startpos": 0}
    assert daemon.ask(json.dumps(request)) == b"ERROR: work type did not expect a signature\n"


def test_command_leaves_what_it_started(daemon: Daemon) -> None:
    """A command that ends by itself may leave processes behind: that is how services are started."""
    unit = daemon.submit("sh", "'sleep 600 >/dev/null 2>&1 & echo started'")
    daemon.wait_for_state(unit, "Succeeded")
    daemon.wait_for_runner_end(unit)
    assert [process.name() for process in daemon.list_processes()] == ["sleep"]


def test_dead_runner_is_noticed(daemon: Daemon, difference: Callable[[str], bool]) -> None:
    """A unit whose runner was killed fails, its processes end, and its results do too."""
    unit = daemon.submit("sh", "'echo early; exec sleep 600'")
    running = daemon.wait_for_state(unit, "Running")
    assert isinstance(running["ExtraData"], dict)
    psutil.Process(running["ExtraData"]["Pid"]).kill()
    if difference("dead-runner-fails"):
        assert daemon.results(unit) == b"early\n"
        status = daemon.wait_for_state(unit, "Failed")
        assert status["Detail"] == "Command runner died: the outcome of the command is unknown"
        assert status["StdoutSize"] == 6
        assert daemon.list_processes() == []
        assert daemon.ask_json(f"work release {unit}") == {"released": unit}


def test_one_damaged_unit_does_not_hide_the_others(daemon: Daemon, difference: Callable[[str], bool]) -> None:
    """A unit whose status file is damaged is listed as failed."""
    good, bad = (daemon.submit("cat") for _ in range(2))
    for unit in (good, bad):
        daemon.wait_for_state(unit, "Succeeded")
        daemon.wait_for_runner_end(unit)
    (daemon.units_dir / bad / "status").write_text("")
    if difference("damaged-status"):
        listed = daemon.ask_json("work list")
        assert set(listed) == {good, bad}
        assert listed[bad]["Detail"] == "Failed to restart: unexpected end of JSON input"  # type: ignore[index]
        assert daemon.ask_json(f"work release {bad}") == {"released": bad}
