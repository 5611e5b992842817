"""A repository as ordinary users have it, and a terminal with somebody at it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from receptor_runner.ansible_cli.command_line import CommandLine, Given
from receptor_runner.ansible_cli.options import ADHOC_OPTIONS, PLAYBOOK_OPTIONS
from receptor_runner.ansible_cli.plan import Plan, make_plan


@dataclass
class Somebody:
    """Answers every question from a list, and remembers what was shown."""

    answers: dict[str, str] = field(default_factory=dict)
    shown: list[str] = field(default_factory=list)
    echoed: list[str] = field(default_factory=list)

    def ask(self, prompt: str, /) -> str:
        """Answer without echo."""
        self.shown.append(prompt)
        return self.answers[prompt]

    def ask_openly(self, prompt: str, /) -> str:
        """Answer with echo."""
        self.echoed.append(prompt)
        return self.ask(prompt)

    def note(self, text: str, /) -> None:
        """Remember a line."""
        self.shown.append(text)


@dataclass
class Repository:
    """A directory with a playbook, in which commands are typed."""

    root: Path
    environment: dict[str, str]
    somebody: Somebody = field(default_factory=Somebody)

    def write(self, name: str, content: str = "", mode: int = 0o644) -> Path:
        """Write a file; a name that begins with a slash is absolute."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)
        return path

    def git(self, *words: str) -> None:
        """Run git in the repository."""
        subprocess.run(["git", "-C", str(self.root), *words], check=True, capture_output=True)

    def plan(self, program: str, *words: str, cwd: Path | None = None) -> Plan:
        """Return the plan of a command line: pairs of an option's spelling and its value, then arguments after `--`."""
        return make_plan(parse(program, words), cwd or self.root, self.environment, self.somebody)


def parse(program: str, words: Sequence[str]) -> CommandLine:
    """Read words as the program does, as far as tests write them: each option is a word of its own."""
    table = PLAYBOOK_OPTIONS if program == "ansible-playbook" else ADHOC_OPTIONS
    by_name = {name: option for option in table for name in option.names}
    given: list[Given] = []
    arguments: list[str] = []
    rest = iter(words)
    for word in rest:
        if option := by_name.get(word):
            given.append(Given(option=option, value=next(rest) if option.meaning.takes_value else None))
        else:
            arguments.append(word)
    return CommandLine(program=program, given=tuple(given), arguments=tuple(arguments))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A git repository with site.yml and inventory.ini."""
    root = tmp_path / "repository"
    root.mkdir()
    home = tmp_path / "home"
    home.mkdir()
    made = Repository(root, {"HOME": str(home)})
    made.git("init", "-q")
    made.write("site.yml", "- hosts: all\n  tasks: []\n")
    made.write("inventory.ini", "localhost ansible_connection=local\n")
    return made
