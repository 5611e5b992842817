"""The process table, and ending what belongs to a unit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from receptor_runner.node.processes import (
    end_orphans,
    is_alive,
    is_runner_of,
    list_descendants,
    list_unit_processes,
    read_process,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Headless


def test_descendants_are_found_across_sessions() -> None:
    """Children with a session of their own, and theirs, are below their parent."""
    script = "setsid sh -c 'sleep 600 & echo ready; wait' & wait"
    with subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = list_descendants(process.pid)
        assert len(found) == 2
        for pid in found:
            os.kill(pid, signal.SIGKILL)


def test_name_with_brackets_is_no_trouble(tmp_path: Path) -> None:
    """A process may be called anything."""
    odd = tmp_path / "a) Z 1 (b"
    odd.symlink_to("/bin/sleep")
    with subprocess.Popen([odd, "600"]) as process:
        entry = read_process(process.pid)
        assert entry is not None
        assert entry.parent == os.getpid()
        process.kill()


def test_zombies_are_not_alive() -> None:
    """A process that has ended but was not collected counts as dead, and so does one that never was."""
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(process.pid)
    process.wait()
    assert not is_alive(process.pid)
    assert not is_alive(0)
    assert is_alive(os.getpid())


def test_a_process_whose_first_thread_has_ended_is_alive(headless: Headless) -> None:
    """A process that shows as a zombie, though a thread of it lives, is alive, and its children are found."""
    assert is_alive(headless.pid)
    assert {headless.pid, headless.child} <= set(list_descendants(os.getpid()))


def test_runner_is_known_by_its_command_line(tmp_path: Path) -> None:
    """Only a process whose command line names the unit is its runner."""
    argv = [sys.executable, "-c", "input()", str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        while not is_runner_of(process.pid, str(tmp_path)):
            assert process.poll() is None
        assert not is_runner_of(process.pid, "/another/unit")
        process.kill()


def test_orphans_are_interrupted_and_then_killed(tmp_path: Path) -> None:
    """What still uses a unit's files ends: by itself when interrupted, else by force; strangers stay."""
    (tmp_path / "stdin").touch()
    script = "trap '' INT; echo stubborn; sleep 600 & sleep 601"
    with (tmp_path / "stdin").open() as stdin, (tmp_path / "stdout").open("wb") as stdout:
        gentle = subprocess.Popen(["sleep", "602"], stdin=stdin)
        stubborn = subprocess.Popen(["bash", "-c", script], stdout=stdout, start_new_session=True)
    stranger = subprocess.Popen(["sleep", "603"])
    while not (tmp_path / "stdout").read_bytes():
        assert stubborn.poll() is None
    end_orphans(str(tmp_path), 0.3)
    assert list_unit_processes(str(tmp_path)) == []
    assert gentle.wait() == -signal.SIGINT
    assert stubborn.wait() == -signal.SIGKILL
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()
