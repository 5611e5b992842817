"""What a command imports before it does anything: each import is time that every single call pays."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest
from receptor_runner.cli.program import COMMANDS
from tests.harness import Commands, Project

HEAVY = {
    "ansible",
    "asyncio",
    "concurrent",
    "cryptography",
    "jinja2",
    "receptorctl",
    "rich",
    "tenacity",
    "yaml",
}
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


@pytest.mark.parametrize("word", ["worker", "--version"])
def test_what_has_nothing_to_parse_starts_without_a_parser(commands: Commands, word: str) -> None:
    """The usual work-command, which each unit waits for, and the versions: click takes as long as all of the rest."""
    assert imported(commands, word) & {"click", "inspect" if word == "--version" else "rich"} == set()


def test_a_worker_with_options_is_the_same_worker(commands: Commands) -> None:
    """With and without an option for the parser, an empty stream ends in the same error."""
    plain, parsed = commands.ours("worker"), commands.ours("worker", "--no-store")
    assert (plain.rc, plain.stdout, plain.stderr) == (parsed.rc, parsed.stdout, parsed.stderr)
    assert plain.rc == 65


def test_the_versions_are_the_same_before_and_behind_a_command(commands: Commands) -> None:
    """`--version` needs no command, and each command takes it."""
    assert commands.ours("--version").stdout == commands.ours("worker", "--version").stdout


def test_each_printed_version_is_the_installed_one(commands: Commands) -> None:
    """The quick way to a version finds what importlib.metadata finds."""
    printed = dict(line.split() for line in commands.ours("--version").stdout.decode().splitlines())
    assert {name: metadata.version(name) for name in printed} == printed
