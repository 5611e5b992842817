"""`playbook` and `adhoc` in slices: an ordinary repository, its own options, and no dynamic inventory."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from tests.slices.conftest import HOSTS, Sliced

SCRIPT = '#!/bin/sh\necho \'{"web": {"hosts": ["web1", "web2"]}, "_meta": {"hostvars": {}}}\'\n'


def in_repository(sliced: Sliced) -> Sliced:
    """Return the project as a repository with an ansible.cfg, in which commands run."""
    root = sliced.project.path
    sliced.project.write("hosts", HOSTS)
    sliced.project.write("ansible.cfg", "[defaults]\ninventory = hosts\n")
    sliced.project.write("cloud.sh", SCRIPT, 0o755)
    play = "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: var=groups.all\n"
    sliced.project.write("plays/site.yml", play)
    return dataclasses.replace(sliced, commands=dataclasses.replace(sliced.commands, cwd=root))


def hosts_of(artifacts: Path) -> list[list[str]]:
    """Return the hosts of each slice of the one sliced job there."""
    (path,) = artifacts.glob("artifacts/*/slices.json")
    return [entry["hosts"] for entry in json.loads(path.read_bytes())["slices"]]


@pytest.mark.slow
def test_a_repository_in_slices(sliced: Sliced, tmp_path: Path) -> None:
    """The inventory of ansible.cfg is cut after `--limit`, and all of it travels; the last limit is the slice's."""
    here = in_repository(sliced).commands
    done = here.ours(
        "playbook", "plays/site.yml", "-l", "web", "--slices", "2", "--artifacts", tmp_path / "a"
    )
    assert done.rc == 0, done.stderr
    assert hosts_of(tmp_path / "a") == [["web1"], ["web2"]]
    assert done.text.count('"db1"') == 2
    adhoc = here.ours("adhoc", "web", "-m", "ping", "--slices", "2", "--artifacts", tmp_path / "b")
    assert adhoc.rc == 0, adhoc.stderr
    assert hosts_of(tmp_path / "b") == [["web1"], ["web2"]]
    assert adhoc.text.count("SUCCESS") == 2


@pytest.mark.slow
def test_a_dynamic_inventory_is_refused_or_read_once(sliced: Sliced, tmp_path: Path) -> None:
    """`playbook` refuses it with a way to make it static; `run` reads it here and sends what it answered."""
    here = in_repository(sliced)
    refused = here.commands.ours(
        "playbook", "-i", "cloud.sh", "plays/site.yml", "--slices", "2", "--artifacts", tmp_path / "a"
    )
    assert refused.rc == 64
    assert "ansible-inventory -i" in refused.stderr
    # it notes how often it is read
    script = tmp_path / "once.sh"
    script.write_text(f"#!/bin/sh\nprintf x >> {tmp_path}/reads\n{SCRIPT.partition(chr(10))[2]}")
    script.chmod(0o755)
    sliced.project.playbook("- debug: msg=hello")
    done = sliced.run("--slices", "2", "--inventory", str(script))
    assert done.rc == 0, done.stderr
    assert sliced.column("hosts") == [["web1"], ["web2"]]
    assert (tmp_path / "reads").read_text() == "x"
