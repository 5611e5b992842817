"""What a command imports before it does anything: each import is time that every single call pays."""

from __future__ import annotations

import subprocess
import sys

import pytest
from receptor_runner.cli import COMMANDS
from tests.harness import Commands, Project

HEAVY = {"ansible", "asyncio", "cryptography", "jinja2", "receptorctl", "rich", "tenacity", "yaml"}
"""What costs more than ten milliseconds and is needed, if at all, only later."""

STREAM = {"isal", "msgspec", "pybase64"}
"""What only a command that reads or writes a stream needs."""


def imported(commands: Commands, *words: str, stdin: bytes = b"") -> set[str]:
    """Return the packages that a command imports; what it prints and how it ends does not matter."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "receptor_runner", *words],
        input=stdin,
        capture_output=True,
        env=commands.environment,
        cwd=commands.cwd,
        timeout=60,
        check=False,
    )
    lines = done.stderr.decode(errors="replace").splitlines()
    names = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert "receptor_runner.cli" in names
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("words", [("--version",), ("--help",), *((name, "--help") for name in COMMANDS)])
def test_a_command_line_is_read_without_what_the_command_needs(
    commands: Commands, words: tuple[str, ...]
) -> None:
    """Versions, help and mistakes cost no more than the command line itself."""
    assert imported(commands, *words) & (HEAVY | STREAM) == set()


def test_the_phases_start_light(commands: Commands, project: Project) -> None:
    """transmit, process, and a worker up to its first read, import nothing of the control side."""
    assert imported(commands, "transmit", str(project.path), "-p", "test.yml") & HEAVY == set()
    assert imported(commands, "process", str(project.path), "-i", "1") & HEAVY == set()
    assert imported(commands, "worker") & HEAVY == set()
