"""The systemd service of a node: what systemd accepts, and what jobs can live with."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from receptor_runner.mesh.description import MeshDescription, MeshNode, Role
from receptor_runner.mesh.systemd import SERVICE, SYSCTL_TEXT, service_text
from tests.harness.containers import skip_without

MESH = MeshDescription(
    name="our 100% mesh",
    nodes=tuple(MeshNode(name=role.value, role=role, address=f"{role.value}.example.com") for role in Role),
)


def options(description: MeshDescription, role: Role) -> dict[str, str]:
    """Return the options of a node's service by name."""
    lines = service_text(description, description.node(role.value)).splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


@pytest.mark.parametrize("role", Role, ids=lambda role: role.value)
@pytest.mark.parametrize("datadir", ["/var/lib/receptor", "/srv/units"])
def test_systemd_accepts_it(tmp_path: Path, role: Role, datadir: str) -> None:
    """`systemd-analyze verify` has nothing to say, once the daemon is a program that exists."""
    skip_without("systemd-analyze")
    description = replace(MESH, datadir=datadir)
    text = service_text(description, description.node(role.value)).replace(
        "ExecStart=receptor", "ExecStart=/bin/true"
    )
    (tmp_path / SERVICE).write_text(text)

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / SERVICE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("role", Role, ids=lambda role: role.value)
def test_restart_leaves_jobs_alone(role: Role) -> None:
    """Only the daemon is stopped, and it always comes back."""
    held = options(MESH, role)

    assert (held["KillMode"], held["Restart"], held["RuntimeDirectory"]) == ("process", "always", "receptor")
    assert int(held["LimitNOFILE"]) >= 65536
    assert held["ExecStart"] == "receptor --config /etc/receptor/receptor.yml"


def test_workers_are_not_confined() -> None:
    """Jobs inherit what restricts the daemon: none of the options that break sudo, ssh or containers is there."""
    held = options(MESH, Role.WORKER)

    breaking = (
        "NoNewPrivileges",
        "Private",
        "Protect",
        "Restrict",
        "SystemCall",
        "Capability",
        "Memory",
        "Lock",
        "UMask",
    )
    assert [name for name in held if name.startswith(breaking)] == []
    assert (held["OOMPolicy"], held["Delegate"], held["TasksMax"]) == ("continue", "yes", "infinity")


@pytest.mark.parametrize("role", [Role.CONTROL, Role.HOP], ids=lambda role: role.value)
def test_nodes_without_jobs_are_confined(role: Role) -> None:
    """A node that runs no jobs gets what a network daemon can live with."""
    held = options(MESH, role)

    assert (held["NoNewPrivileges"], held["ProtectSystem"], held["PrivateTmp"]) == ("yes", "strict", "yes")


def test_places_that_confinement_would_hide_stay_visible() -> None:
    """A socket in /tmp and units below /home are still reached."""
    held = options(replace(MESH, datadir="/home/receptor/units", socket="/tmp/r.sock"), Role.CONTROL)

    assert not {"PrivateTmp", "ProtectHome", "RuntimeDirectory", "StateDirectory"} & held.keys()
    assert held["ProtectSystem"] == "true"


def test_percent_is_no_specifier() -> None:
    """What people call their mesh is shown as it is."""
    assert options(MESH, Role.HOP)["Description"] == "Receptor node hop of our 100%% mesh"


def test_sysctl_lines_are_assignments() -> None:
    """Every line sets a limit of inotify, or is a comment."""
    lines = [line for line in SYSCTL_TEXT.splitlines() if not line.startswith("#")]

    assert [line.split(" = ")[0] for line in lines] == [
        "fs.inotify.max_user_instances",
        "fs.inotify.max_user_watches",
    ]
