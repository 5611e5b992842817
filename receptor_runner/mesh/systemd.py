"""The systemd service and the kernel settings of a node's host."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from receptor_runner.mesh.description import MeshDescription, MeshNode, Role
from receptor_runner.mesh.settings import CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICE, SYSCTL = "receptor.service", "60-receptor.conf"

_HEAD = """\
[Unit]
Description=Receptor node {name} of {mesh}
Documentation=https://receptor.readthedocs.io
Wants=network-online.target
After=network-online.target
# A node that cannot reach its peers yet must not be given up on.
StartLimitIntervalSec=0

[Service]
# Named without a directory: a package puts the daemon into /usr/bin, an administrator into /usr/local/bin.
ExecStart=receptor --config {config}
# With a user, systemd sets HOME, USER and SHELL, which Ansible, ssh and podman look at.
User=root
# Jobs are children of the daemon. Only the daemon is stopped; its jobs run on, and it finds them when it is back.
KillMode=process
Restart=always
RestartSec=5
# Each job and each client takes a few files.
LimitNOFILE=65536
"""

# Whatever restricts the daemon restricts its jobs. NoNewPrivileges, and every option that implies it, breaks sudo and
# become; PrivateTmp removes the files of running jobs when the daemon restarts; PrivateDevices, ProtectHome,
# ProtectProc, ProtectKernel*, ProtectControlGroups and RestrictNamespaces break containers; ProtectSystem and UMask
# change what jobs can write on their own host, and how.
_WORKER = """\
# Jobs inherit what restricts the daemon. NoNewPrivileges= would break become, PrivateTmp= the jobs that run during a
# restart, PrivateDevices=, ProtectKernelTunables= and RestrictNamespaces= containers, so nothing is restricted here.
# A job that uses up the memory must not take the daemon and all other jobs with it.
OOMPolicy=continue
# Container engines make control groups of their own below the one of this service.
Delegate=yes
TasksMax=infinity
"""

_NO_JOBS = """\
# No jobs run on this node, so the daemon alone is confined.
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_DAC_OVERRIDE
LockPersonality=yes
MemoryDenyWriteExecute=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
"""

_TAIL = """
[Install]
WantedBy=multi-user.target
"""

SYSCTL_TEXT = """\
# The daemon watches the output of each job with inotify; the kernel's default of 128 instances for each user ends that
# for further jobs.
fs.inotify.max_user_instances = 8192
fs.inotify.max_user_watches = 1048576
"""


def service_text(description: MeshDescription, node: MeshNode) -> str:
    """Return the systemd service of a node."""
    config = PurePath(description.prefix) / CONFIG
    parts = [
        _HEAD.format(name=node.name, mesh=_plain(description.name), config=config),
        *_directories(description),
        *([_WORKER] if node.role is Role.WORKER else [_NO_JOBS, *_private_places(description)]),
        _TAIL,
    ]
    return "".join(parts)


def _plain(text: str) -> str:
    """Return a text without what systemd reads specially: specifiers, and a backslash that joins lines."""
    return text.replace("%", "%%").replace("\\", "/")


def _directories(description: MeshDescription) -> Iterator[str]:
    if runtime := _below(PurePath(description.socket).parent, "/run"):
        yield f"# The socket's directory; systemd makes it after each boot.\nRuntimeDirectory={runtime}\n"
    if state := _below(PurePath(description.datadir), "/var/lib"):
        yield f"StateDirectory={state}\nStateDirectoryMode=0700\n"


def _private_places(description: MeshDescription) -> Iterator[str]:
    socket, datadir = PurePath(description.socket), PurePath(description.datadir)
    used = (PurePath(description.prefix), socket, datadir)
    if not any(path.is_relative_to(home) for path in used for home in ("/home", "/root", "/run/user")):
        yield "ProtectHome=yes\n"
    if not any(path.is_relative_to(shared) for path in used for shared in ("/tmp", "/var/tmp")):  # noqa: S108
        yield "PrivateTmp=yes\n"
    is_strict = _below(socket.parent, "/run") and _below(datadir, "/var/lib")
    yield f"ProtectSystem={'strict' if is_strict else 'true'}\n"


def _below(path: PurePath, directory: str) -> str:
    """Return a path relative to a directory, "" if it is not below it."""
    is_below = path.is_relative_to(directory) and path != PurePath(directory)
    return str(path.relative_to(directory)) if is_below else ""
