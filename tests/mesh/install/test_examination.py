"""What the role finds out about a host before anything is changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from receptor_runner.mesh.install.command import PLAYBOOK

PROGRAM = PLAYBOOK.parent / "roles" / "receptor" / "files" / "examine_host.py"
REAL = os.path.realpath(sys.executable)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A directory on PATH, for programs of the test."""
    directory = tmp_path / "bin"
    directory.mkdir()
    return directory


def write(directory: Path, name: str, text: str) -> None:
    """Write a program."""
    (directory / name).write_text(f"#!/bin/sh\n{text}\n")
    (directory / name).chmod(0o755)


def examine(programs: Path, *names: str) -> dict[str, Any]:
    """Look at this machine with the programs of the test, and those in directories that are always searched."""
    done = subprocess.run(
        [REAL, "-c", PROGRAM.read_text(), *names],
        capture_output=True,
        check=True,
        env={"PATH": str(programs)},
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_first_python_that_can_make_environments_is_taken(programs: Path) -> None:
    """What is missing, too old or incomplete is passed over, each with its reason."""
    write(programs, "old", 'echo "Python 3.9 is too old" >&2; exit 1')
    write(programs, "good", f'exec {REAL} "$@"')
    found = examine(programs, "no-such-python", "old", "good", "never-tried")
    assert found["python"] == REAL
    assert found["version"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert found["rejected"] == ["no-such-python: not found", "old: Python 3.9 is too old"]


def test_a_python_without_ensurepip_is_explained(programs: Path) -> None:
    """Debian leaves `ensurepip` out; the package that brings it is named."""
    (programs / "ensurepip.py").write_text("raise ImportError('No module named ensurepip')\n")
    write(programs, "bare", f'PYTHONPATH={programs} exec {REAL} "$@"')
    found = examine(programs, "bare")
    assert (found["python"], found["version"]) == ("", "")
    (reason,) = found["rejected"]
    assert "No module named ensurepip" in reason
    assert "apt install python3" in reason


def test_a_python_that_fails_without_a_word_is_rejected(programs: Path) -> None:
    """The exit code is the reason then."""
    write(programs, "broken", "exit 3")
    assert examine(programs, "broken")["rejected"] == ["broken: exit code 3"]


def test_the_daemon_is_found_on_path(programs: Path) -> None:
    """The path of the daemon is the one that the host's PATH leads to."""
    write(programs, "receptor", "exit 0")
    assert examine(programs, "nothing")["receptor"] == str(programs / "receptor")
