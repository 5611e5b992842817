"""Recognizing and ending what belongs to a unit."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from receptor_runner.node.unit_processes import end_orphans, is_runner_of, list_unit_processes

if TYPE_CHECKING:
    from pathlib import Path


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


TIDY = """
import signal, subprocess, sys

child = subprocess.Popen(["sleep", "604"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
signal.signal(signal.SIGINT, lambda *_: child.terminate())
print("ready", flush=True)
print(child.wait(), flush=True)
"""


def test_orphans_end_what_is_below_them_themselves(tmp_path: Path) -> None:
    """Only the command is interrupted: it decides how its own children end."""
    with (tmp_path / "stdout").open("wb") as stdout:
        command = subprocess.Popen([sys.executable, "-c", TIDY], stdout=stdout)
    while not (tmp_path / "stdout").read_bytes():
        assert command.poll() is None
    end_orphans(str(tmp_path), 30)
    assert command.wait() == 0
    assert (tmp_path / "stdout").read_text().split() == ["ready", str(-signal.SIGTERM)]
