"""`mesh install` over real SSH on a host without systemd: what is refused, and what a user can install without root."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest
from tests.harness import wait_until
from tests.mesh.install.conftest import Site, changes
from tests.mesh.install.machines import Machine

pytestmark = [pytest.mark.receptor, pytest.mark.slow, pytest.mark.timeout(900)]

HOME = "/home/alice"
RESTART = f"""#!/bin/sh
pkill -u alice -x daemon
rm -f {HOME}/log
setsid {HOME}/daemon --config {HOME}/receptor/receptor.yml > {HOME}/log 2>&1 < /dev/null &
"""


@pytest.fixture
def control(site: Site) -> Machine:
    """The control node's machine, without systemd."""
    machine = site.machines["control"]
    machine.init = "none"
    machine.start()
    assert machine.sshd is not None
    machine.sshd.admit("key")
    return machine


@pytest.mark.usefixtures("control")
def test_what_cannot_work_is_refused_before_anything_is_changed(site: Site, wheel: Path) -> None:
    """Each fault of a host is named, with what to do about it, and the host stays as it was."""
    words = ("--package", wheel, "--", "--limit", "control")
    assert "--receptor-package NAME" in refusal(site, *words, receptor=False)
    assert "not systemd" in refusal(site, *words)
    site.variables["receptor_service_manager"] = "none"
    assert "/usr/bin/false: exit code 1" in refusal(site, *words, "-e", "receptor_python=/usr/bin/false")
    assert "is for riscv64" in refusal(site, *words, "-e", "receptor_local_architecture=riscv64")
    unreachable = site.install("--package", wheel)  # for the worker has no machine
    assert unreachable.rc == 4
    assert "changed=0" in unreachable.text
    machine = site.machines["control"]
    machine.run("mkdir", "/opt/receptor-runner")
    assert "Move it away" in refusal(site, *words)
    assert not machine.path("/etc/receptor").exists()
    assert not machine.path("/usr/local/bin/receptor").exists()


def refusal(site: Site, *words: str | Path, receptor: bool = True) -> str:
    """Install, which must fail; return what is said about it."""
    done = site.install(*words, receptor=receptor)
    assert done.rc == 2, done.text + done.stderr
    assert "changed=0" in done.text
    return " ".join(done.text.split())


def test_an_ordinary_user_installs_a_node(site: Site, control: Machine, wheel: Path) -> None:
    """Without root and systemd nothing is started, until there is a command for that; what is installed works."""
    need_user(control)
    place(site)
    installed = site.install("--package", wheel, "--", "--limit", "control")
    assert installed.rc == 0, installed.text + installed.stderr
    assert "restart the daemon of control" in installed.text
    assert control.run("pgrep", "-x", "daemon").rc == 1
    key = control.run("stat", "--format", "%U %a", f"{HOME}/receptor/node.key").text
    assert key == "alice 600\n"

    control.run("su", "alice", "-c", f"{HOME}/restart")
    status = (f"{HOME}/runner/bin/receptorctl", "--socket", f"{HOME}/receptor.sock", "status")
    wait_until(lambda: "Node ID: control" in control.run(*status).text, "the installed daemon answers", 60)

    before = control.run("pgrep", "-x", "daemon").text
    place(site)  # with another port, which the daemon reads only when it starts
    site.variables["receptor_restart_command"] = [f"{HOME}/restart"]
    changed = site.install("--package", wheel, "--", "--limit", "control")
    assert changed.rc == 0, changed.text + changed.stderr
    assert changes(changed)["control"] == 3  # the config, which the daemon has not read, and the restart
    assert control.run("pgrep", "-x", "daemon").text != before


def need_user(machine: Machine) -> None:
    """Make the user on the machine; skip the test where one cannot read the packages that are installed here."""
    machine.run("useradd", "-m", "-s", "/bin/sh", "-p", "*", "alice")
    packages = sysconfig.get_path("purelib")
    readable = f"import sys; sys.path.append('{packages}'); import ensurepip, click, msgspec, yaml"
    if machine.run("su", "alice", "-c", f'/usr/bin/python3 -c "{readable}"').rc:
        pytest.skip("/usr/bin/python3 cannot use the packages that are installed here")
    script = machine.path(f"{HOME}/restart")
    script.write_text(RESTART)
    script.chmod(0o755)


def place(site: Site) -> None:
    """Describe a mesh below the home directory of a user."""
    site.describe(
        prefix=f"{HOME}/receptor",
        venv=f"{HOME}/runner",
        datadir=f"{HOME}/units",
        socket=f"{HOME}/receptor.sock",
    )
    site.variables |= {
        "ansible_user": "alice",
        "ansible_become": False,
        "receptor_user": "alice",
        "receptor_service_manager": "none",
        "receptor_binary": f"{HOME}/daemon",
        "receptor_python": "/usr/bin/python3",
    }
