"""What playbooks ask for before they start."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from receptor_runner.ansible_cli.vars_prompt import read_vars_prompts, variable_names

if TYPE_CHECKING:
    from tests.ansible_cli.conftest import Repository

ASKING = """
- hosts: all
  vars_prompt:
    - name: user
      prompt: Who are you?
      private: no
      default: me
    - name: secret
      confirm: true
    - {name: version, prompt: "Deploy {{ app }} as"}
"""


def test_questions_are_asked_as_ansible_asks_them(repository: Repository) -> None:
    """Text, default and echo are those of the play; a confirmed one is asked twice."""
    repository.write("ask.yml", ASKING)
    repository.somebody.answers = {
        "Who are you? [me]: ": "you",
        "secret: ": "s",
        "confirm secret: ": "s",
        "Deploy {{ app }} as: ": "2",
    }
    plan = repository.plan("ansible-playbook", "ask.yml")
    assert repository.somebody.echoed == ["Who are you? [me]: "]
    assert sorted((plan.job.passwords or {}).values()) == ["2", "s", "s", "you"]


def test_variables_of_the_command_line_are_not_asked_for(repository: Repository) -> None:
    """Ansible does not ask for what -e sets; nor for anything when it only lists."""
    repository.write("ask.yml", ASKING)
    repository.write("vars.yml", "version: 2\n")
    repository.plan("ansible-playbook", "-e", "user=a secret=b", "-e", "@vars.yml", "ask.yml")
    repository.plan("ansible-playbook", "--list-tasks", "ask.yml")
    assert not repository.somebody.shown


def test_imported_playbooks_ask_too(tmp_path: Path) -> None:
    """Each variable is asked for once, and a playbook that imports itself ends."""
    (tmp_path / "site.yml").write_text("- import_playbook: ask.yml\n- import_playbook: site.yml\n")
    (tmp_path / "ask.yml").write_text(ASKING)
    assert [entry.name for entry in read_vars_prompts([tmp_path / "site.yml"], set())] == [
        "user",
        "secret",
        "version",
    ]


@pytest.mark.parametrize(
    ("shown", "answers"),
    [("Deploy shop as: ", "version"), ("secret: ", "secret"), ("confirm secret: ", "confirm")],
)
def test_patterns_find_their_own_question(tmp_path: Path, shown: str, answers: str) -> None:
    """On the node exactly one pattern answers each question, templated text included."""
    (tmp_path / "ask.yml").write_text(ASKING)
    found = [
        (entry.name, number)
        for entry in read_vars_prompts([tmp_path / "ask.yml"], set())
        for number, pattern in enumerate(entry.patterns)
        if re.search(pattern, shown)
    ]
    assert found == [("secret", 1) if answers == "confirm" else (answers, 0)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a=1 b='x y'", {"a", "b"}),
        ('{"a": 1}', {"a"}),
        ("{a: 1, b: 2}", {"a", "b"}),
        ("@nothing.yml", set()),
        ("{broken", set()),
    ],
)
def test_names_of_extra_variables(tmp_path: Path, text: str, names: set[str]) -> None:
    """Each form of -e says which variables it sets."""
    assert variable_names(text, tmp_path.joinpath) == names
