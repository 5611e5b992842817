"""The shipped playbook and role: what can be said of them without a host."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from receptor_runner.mesh.bundle import render_bundle
from receptor_runner.mesh.install.command import PLAYBOOK
from receptor_runner.mesh.inventory import inventory_text
from receptor_runner.mesh.reading import load_mesh
from receptor_runner.mesh.sample import sample_text
from tests.harness import BIN

ROLE = PLAYBOOK.parent / "roles" / "receptor"
DOCS = Path(__file__).parents[3] / "docs" / "install.md"
META = {
    "become",
    "block",
    "changed_when",
    "check_mode",
    "delay",
    "delegate_to",
    "diff",
    "failed_when",
    "listen",
}
META |= {"loop", "loop_control", "name", "notify", "register", "retries", "until", "vars", "when"}


def load(path: Path) -> Any:
    """Return what a YAML file holds."""
    return yaml.safe_load(path.read_text())


def tasks() -> Iterator[dict[str, Any]]:
    """Yield every task and handler of the role and the playbook."""
    files = [*(ROLE / "tasks").glob("*.yml"), *(ROLE / "handlers").glob("*.yml")]
    waiting = [task for path in files for task in load(path)]
    waiting += [task for play in load(PLAYBOOK) for task in play["tasks"]]
    while waiting:
        task = waiting.pop()
        waiting += task.get("block", [])
        yield task


def options() -> dict[str, dict[str, Any]]:
    """Return the documented variables of the role."""
    found: dict[str, dict[str, Any]] = load(ROLE / "meta" / "argument_specs.yml")["argument_specs"]["main"][
        "options"
    ]
    return found


def test_every_task_has_a_name_and_a_module_of_ansible_core() -> None:
    """Every task says what it does; no collection is needed on the machine that installs."""
    for task in tasks():
        assert task["name"][0].isupper(), task
        modules = [key for key in task if key not in META]
        assert all(key.startswith("ansible.builtin.") for key in modules), task
        assert len(modules) == (0 if "block" in task else 1), task


def test_every_variable_is_documented() -> None:
    """The argument specs and the page name each variable, with the default that the role has."""
    defaults = load(ROLE / "defaults" / "main.yml")
    documented = options()
    assert documented.keys() - defaults.keys() == {"receptor_node_dir"}
    assert defaults.keys() <= documented.keys()
    for name, value in defaults.items():
        if name != "receptor_group":  # follows receptor_user
            assert documented[name].get("default") == value, name
    page = DOCS.read_text()
    assert {name for name in documented if f"`{name}`" not in page} == set()


def test_the_inventory_sets_variables_of_the_role(tmp_path: Path) -> None:
    """What `mesh render` writes for the hosts are variables that the role knows, and groups that the playbook names."""
    (tmp_path / "mesh.yml").write_text(sample_text(workers=2, hops=1))
    inventory = yaml.safe_load(inventory_text(load_mesh(tmp_path / "mesh.yml")))["all"]
    groups = inventory["children"]
    host = next(iter(groups["receptor_worker"]["hosts"].values()))
    known = {*options(), "receptor_mesh"}
    assert {name for name in (*inventory["vars"], *host) if name.startswith("receptor_")} <= known
    assert {play["hosts"] for play in load(PLAYBOOK)} == {"receptor_worker:receptor_hop:receptor_control"}
    assert groups.keys() == {"receptor_worker", "receptor_hop", "receptor_control"}


def test_the_syntax_is_that_of_ansible(tmp_path: Path) -> None:
    """ansible-playbook understands the playbook, without a warning."""
    (tmp_path / "mesh.yml").write_text(sample_text())
    (tmp_path / "hosts.yml").write_text(inventory_text(load_mesh(tmp_path / "mesh.yml")))
    words = [str(BIN / "ansible-playbook"), "-i", "hosts.yml", str(PLAYBOOK), "--syntax-check"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.parametrize("node", ["control", "hop", "worker"])
def test_systemd_understands_the_unit_with_what_the_role_adds(tmp_path: Path, node: str) -> None:
    """`systemd-analyze verify` has nothing to say about the service of any role."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no `systemd-analyze` is installed")
    (tmp_path / "mesh.yml").write_text(sample_text(hops=1))
    render_bundle(load_mesh(tmp_path / "mesh.yml"), tmp_path / "out")
    text = (tmp_path / "out" / node / "systemd" / "receptor.service").read_text()
    units = tmp_path / "units"
    (units / "receptor.service.d").mkdir(parents=True)
    (units / "receptor.service").write_text(text)
    values = {"receptor_user": "root", "receptor_group": "root", "receptor_daemon": shutil.which("true")}
    addition = (ROLE / "templates" / "install.conf.j2").read_text()
    values["receptor_prefix"] = "/etc/receptor"
    filled = re.sub(r"{{ (\w+) }}", lambda found: str(values[found[1]]), addition)
    (units / "receptor.service.d" / "install.conf").write_text(filled)
    words = [analyze, "verify", "--man=no", str(units / "receptor.service")]
    environment = {"SYSTEMD_UNIT_PATH": f"{units}:", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "KillMode=process" in text
