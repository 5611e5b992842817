"""Dynamic inventories are told from static ones, and their answer becomes data with the same groups and variables."""

from __future__ import annotations

import json
from pathlib import Path

from receptor_runner.slices.hosts import Question, list_hosts, read_inventory
from receptor_runner.slices.inventory import dynamic_sources, static_inventory
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
