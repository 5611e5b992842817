"""`mesh install` over real SSH, on machines with real systemd and the real daemon."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.harness import Finished, wait_until
from tests.mesh.install.conftest import Site, changes
from tests.mesh.install.machines import Machine
from tests.mesh.install.wheels import other_version

pytestmark = [pytest.mark.receptor, pytest.mark.slow, pytest.mark.timeout(1500)]

HERE = "here ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'\n"
PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.wait_for: {path: /srv/gate, timeout: 1200}
    - ansible.builtin.debug: {msg: it ran through}
"""
NEW = ("/etc/receptor", "/opt", "/var/lib/receptor", "/etc/systemd/system", "/etc/sysctl.d", "/usr/local/bin")


def start(site: Site) -> None:
    """Boot the machines."""
    for machine in site.machines.values():
        machine.start()
        assert machine.sshd is not None
        machine.sshd.admit("key")


def files_of(machine: Machine) -> str:
    """Return the files of the places where something is installed, with owners, modes and times."""
    return machine.run("find", *NEW, "-printf", "%p %u %m %T@ %l\n").text


def main_pid(machine: Machine) -> str:
    """Return the process id of the daemon."""
    return machine.run("systemctl", "show", "--property", "MainPID", "--value", "receptor").text.strip()


def ours(machine: Machine, *words: str, timeout_s: float = 120) -> Finished:
    """Run the installed receptor-runner."""
    return machine.run(
        "env", "HOME=/root", "/opt/receptor-runner/bin/receptor-runner", *words, timeout_s=timeout_s
    )


def write_project(machine: Machine) -> None:
    """Write a project whose job waits for a gate on the worker."""
    for name, text in (("inventory/hosts", HERE), ("project/test.yml", PLAYBOOK)):
        path = machine.path(f"/srv/demo/{name}")
        path.parent.mkdir(parents=True)
        path.write_text(text)


def test_a_mesh_is_installed_used_and_upgraded(site: Site, wheel: Path) -> None:
    """Check mode changes nothing, a second run changes nothing, and a job outlives the upgrade of its node."""
    start(site)
    control, worker = site.machines["control"], site.machines["worker"]
    before = files_of(worker)

    checked = site.install("--package", wheel, "--", "--check")
    assert checked.rc == 0, checked.text + checked.stderr
    assert files_of(worker) == before

    installed = site.install("--package", wheel, "--", "--diff", "-vvv")
    assert installed.rc == 0, installed.text[-3000:] + installed.stderr
    assert "PRIVATE KEY" not in installed.text
    first_batch = installed.text.split("PLAY [Install the nodes, one after the other]")[1]
    assert "[worker]" in first_batch
    assert "[control]" not in first_batch
    assert modes(worker, "/etc/receptor") == {
        "": "755 root", "ca.crt": "644 root", "node.crt": "644 root", "node.key": "600 root",
        "receptor.yml": "644 root", "verify.pem": "644 root",
    }  # fmt: skip
    assert modes(control, "/etc/receptor")["signing.pem"] == "600 root"
    assert modes(worker, "/var/lib/receptor")[""] == "700 root"
    for machine in (control, worker):
        assert machine.run("systemctl", "is-enabled", "receptor").text == "enabled\n"
        assert machine.run("systemctl", "is-active", "receptor").text == "active\n"

    write_project(control)
    wait_until(
        lambda: "receptor-runner (signed)" in ours(control, "nodes").text, "the worker is advertised", 90
    )
    submitted = ours(control, "submit", "/srv/demo", "-p", "test.yml", "-i", "job", "--node", "worker")
    assert submitted.rc == 0, submitted.stderr
    first = worker.run("readlink", "/opt/receptor-runner").text.strip()
    wait_until(
        lambda: worker.run("pgrep", "--full", f"{first}/bin/ansible-playbook").rc == 0, "the job runs", 60
    )

    again = site.install("--package", wheel)
    assert changes(again) == {"control": 0, "worker": 0}, again.text[-3000:] + again.stderr

    rechecked = site.install("--package", wheel, "--", "--check", "--limit", "worker")
    assert changes(rechecked) == {"worker": 0}, rechecked.text[-3000:] + rechecked.stderr

    pids = [main_pid(machine) for machine in (control, worker)]
    renewed = site.commands.ours("mesh", "render", "--days", "366", "--renew", "365")
    assert renewed.rc == 0, renewed.stderr
    upgraded = site.install("--package", other_version(wheel, "9.9.9", site.directory))
    assert upgraded.rc == 0, upgraded.text[-3000:] + upgraded.stderr
    assert not set(pids) & {main_pid(machine) for machine in (control, worker)}
    assert ours(worker, "--version").text.startswith("receptor-runner 9.9.9\n")
    assert worker.run("pgrep", "--full", f"{first}/bin/ansible-playbook").rc == 0

    worker.path("/srv/gate").touch()
    attached = ours(control, "attach", "/srv/demo", "-i", "job")
    assert attached.rc == 0, attached.text + attached.stderr
    assert "it ran through" in attached.text
    assert ours(control, "run", "/srv/demo", "-p", "test.yml", "-i", "new", "--node", "worker").rc == 0

    pid = main_pid(worker)
    worker.run("touch", "/etc/receptor/node.crt")  # as a run leaves it that ended before the restart
    third = site.install(
        "--package", other_version(wheel, "9.9.10", site.directory), "--", "--limit", "worker"
    )
    assert third.rc == 0, third.text[-3000:] + third.stderr
    assert main_pid(worker) != pid
    kept = worker.run("ls", "/opt/receptor-runner.d").text.split()
    assert len(kept) == 2
    assert Path(first).name not in kept


def modes(machine: Machine, directory: str) -> dict[str, str]:
    """Return mode and owner of a directory and of what is in it, by name."""
    listed = machine.run("find", directory, "-maxdepth", "1", "-printf", "%P|%m %u\n").text
    return dict(line.split("|") for line in listed.splitlines())
