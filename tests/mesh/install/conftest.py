"""What the tests of `mesh install` share: machines, and a mesh that is described, installed and used on them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from tests.harness import Commands, Finished, free_port, kill_processes_of, short_directory
from tests.mesh.install.machines import Machine, need_machines
from tests.mesh.install.wheels import dependencies_wheel

ROOT = Path(__file__).parents[3]
INSTALL_S = 600.0


@dataclass
class Site:
    """A mesh of a control node and a worker, each on a machine of its own.

    Attributes:
        variables: of all hosts, for the inventory that says how they are reached.
    """

    directory: Path
    commands: Commands
    receptor: str
    machines: dict[str, Machine]
    variables: dict[str, object] = field(default_factory=dict)

    def describe(self, **settings: str) -> None:
        """Write mesh.yml; the settings are those of the whole mesh."""
        nodes = {
            "control": {"role": "control", "address": "127.0.0.1", "port": free_port()},
            "worker": {"role": "worker", "address": "127.0.0.1", "peers": ["control"]},
        }
        described = {"name": "tests", **settings, "nodes": nodes}
        (self.directory / "mesh.yml").write_text(yaml.safe_dump(described))

    def install(self, *words: str | Path, receptor: bool = True) -> Finished:
        """Run `mesh install`; what follows `--` is for ansible-playbook."""
        own, passed = (
            (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, ())
        )
        daemon = ("--receptor", self.receptor) if receptor else ()
        self._write_hosts()
        return self.commands.ours(
            "mesh",
            "install",
            *daemon,
            *own,
            "--",
            "-i",
            self.directory / "hosts.yml",
            *passed,
            timeout_s=INSTALL_S,
        )

    def _write_hosts(self) -> None:
        hosts = {
            name: {
                "ansible_port": machine.sshd.port if machine.sshd else 0,
                "ansible_ssh_private_key_file": str(machine.directory / "sshd" / "key"),
            }
            for name, machine in self.machines.items()
        }
        common = "-F none -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no"
        shared = {
            "ansible_user": "root",
            "ansible_ssh_common_args": common,
            "ansible_python_interpreter": "/usr/bin/python3",
            "receptor_python": os.path.realpath(sys.executable),
            **self.variables,
        }
        (self.directory / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": shared}}))


def changes(done: Finished) -> dict[str, int]:
    """Return how many tasks changed something, by host."""
    found = re.findall(r"^(\w+) +: ok=\d+ +changed=(\d+) +unreachable=0 +failed=0 ", done.text, re.MULTILINE)
    return {name: int(count) for name, count in found}


@pytest.fixture
def ground() -> Iterator[Path]:
    """A directory that every user can look into, and every machine."""
    with short_directory() as directory:
        directory.chmod(0o755)
        yield directory


@pytest.fixture
def site(ground: Path, environment: dict[str, str], receptor_bin: str) -> Iterator[Site]:
    """A described mesh whose machines are not booted yet."""
    need_machines()
    environment |= {"ANSIBLE_PIPELINING": "1", "ANSIBLE_SSH_CONTROL_PATH_DIR": str(ground / "cp")}
    shared = (ground, ROOT, Path(sys.prefix), Path(sys.base_prefix))
    machines = {name: Machine(name, ground / name, shared) for name in ("control", "worker")}
    made = Site(ground, Commands(environment, ground), receptor_bin, machines)
    options = ["--no-index", "--no-deps", str(dependencies_wheel(ground))]
    made.variables = {"receptor_pip_options": options}
    made.describe()
    yield made
    kill_processes_of(ground / "cp")
    for machine in machines.values():
        machine.close()
