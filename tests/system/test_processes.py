"""The process table."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

from receptor_runner.system.processes import descendants, is_alive, read_process, working_directories

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Headless


def test_descendants_are_found_across_sessions() -> None:
    """Children with a session of their own, and theirs, are below their parent."""
    script = "setsid sh -c 'sleep 600 & echo ready; wait' & wait"
    with subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = descendants(process.pid)
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
    assert {headless.pid, headless.child} <= set(descendants(os.getpid()))


def test_working_directories_are_those_of_living_processes(tmp_path: Path) -> None:
    """Where a process stands is known with the process that stands there."""
    with subprocess.Popen(["sleep", "600"], cwd=tmp_path) as process:
        assert working_directories()[str(tmp_path)] == process.pid
        process.kill()
