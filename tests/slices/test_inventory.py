"""Dynamic inventories are told from static ones, and their answer becomes data with the same groups and variables."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from receptor_runner.errors import ConfigError, MissingInput
from receptor_runner.job import Job
from receptor_runner.slices.hosts import Question, list_hosts, question_of, read_inventory
from receptor_runner.slices.inventory import dynamic_sources, fifos, static_inventory
from tests.harness import Project

SCRIPT = """#!/usr/bin/env python3
import json
print(json.dumps({
    "_meta": {"hostvars": {"a": {"size": 3}, "b": {"names": ["x", {"y": 1}]}}},
    "web": {"hosts": ["a", "b"], "vars": {"port": 80}},
    "site": {"children": ["web", "empty"]},
    "empty": {"hosts": []},
    "ungrouped": {"hosts": ["c"]},
}))
"""


def ask(project: Project, environment: dict[str, str], inventory: Path) -> Question:
    """Return a question about one inventory."""
    return Question(
        options=("-i", str(inventory)), cwd=project.path, environment=environment, inventories=(inventory,)
    )


def test_what_is_dynamic(project: Project) -> None:
    """Executable scripts and plugin configurations are, in directories too; data and group variables are not."""
    script = project.write("mixed/cloud.py", SCRIPT, 0o755)
    plugin = project.write("mixed/zone.aws_ec2.yml", "plugin: amazon.aws.aws_ec2\nregions: [x]\n")
    project.write("mixed/hosts", "a\n", 0o755)
    project.write("mixed/static.yml", "all: {hosts: {a: {plugin: 1}}}\n")
    project.write("mixed/group_vars/all.yml", "plugin: none\n")
    assert dynamic_sources([project.path / "mixed"]) == [script, plugin]
    assert dynamic_sources([project.path / "mixed/hosts", project.path / "nowhere"]) == []


def test_a_dynamic_inventory_becomes_data(project: Project, environment: dict[str, str]) -> None:
    """Ansible finds the same hosts, groups and variables in what a script answered as in the script itself."""
    script = project.write("cloud.py", SCRIPT, 0o755)
    listing = read_inventory(ask(project, environment, script))
    frozen = project.write("frozen.json", json.dumps(static_inventory(listing)))
    again = read_inventory(ask(project, environment, frozen))
    hosts = [list_hosts(ask(project, environment, inventory)) for inventory in (script, frozen)]
    assert hosts == [["a", "b", "c"], ["a", "b", "c"]]
    assert again["_meta"]["hostvars"] == listing["_meta"]["hostvars"]
    assert again["_meta"]["hostvars"]["a"] == {"port": 80, "size": 3}
    for group in ("web", "site"):
        assert again[group] == listing[group]


def test_ansible_is_never_sent_to_a_fifo(project: Project) -> None:
    """It would wait for ever: a FIFO in an inventory, or among the variables beside one, is refused by its name."""
    beside = project.path / "inventory/group_vars"
    beside.mkdir()
    os.mkfifo(beside / "all")
    for source in ("inventory", "inventory/hosts"):
        assert fifos([project.path / source]) == [beside / "all"]
    refused = pytest.raises(MissingInput, match=f"{beside}/all is a FIFO")
    with refused, question_of(Job(playbook="test.yml"), project.path):
        pass


def test_files_of_env_that_are_fifos_do_not_count(project: Project) -> None:
    """The hosts are asked for without them, as on the nodes."""
    (project.path / "env").mkdir()
    for name in ("envvars", "cmdline"):
        os.mkfifo(project.path / "env" / name)
    with question_of(Job(playbook="test.yml"), project.path) as question:
        assert question.limit is None


@pytest.mark.parametrize("words", ["--vault-pass=SECRET", "-l", "'SECRET"])
def test_a_command_line_that_cannot_be_read_is_not_quoted(project: Project, words: str) -> None:
    """It may hold a password, whatever is wrong with it."""
    with pytest.raises(ConfigError) as caught, question_of(Job(playbook="p", cmdline=words), project.path):
        pass
    assert "SECRET" not in " ".join(caught.value.lines())
