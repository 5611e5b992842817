"""The facts of a node, in the format that AWX reads."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import stat
import tempfile
import time
import uuid
from pathlib import Path

from receptor_runner._version import __version__
from receptor_runner.execution.isolation.versions import engine_versions
from receptor_runner.system.interpreter import installed_script
from receptor_runner.system.limits import free_space, inotify_limits
from receptor_runner.system.packages import installed_version

WIRE_VERSION = "2.4.3"
"""The version of ansible-runner that this worker is compatible with."""

_PLAIN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+\.\d+\.\d+[0-9a-z.+]*").fullmatch
_UUID_FILE = ".ansible_runner_uuid"


def worker_info_text(container_image: str | None = None, container_engine: str | None = None) -> str:
    """Return the node's facts as one YAML flow mapping with sorted keys.

    Args:
        container_image: the image for jobs that choose no isolation; None to run them on this machine itself.
        container_engine: the engine for that image; None for the usual one.

    Source: `ansible-runner worker --worker-info`; AWX requires `runner_version`, `mem_in_bytes`, `cpu_count` and
    `errors`, and ignores every other key.
    """
    facts, errors = _facts()
    facts["container"] = {"image": container_image, "engine": container_engine} if container_image else None
    facts["errors"] = errors
    inner = ", ".join(f"{key}: {_yaml(facts[key])}" for key in sorted(facts))
    return f"{{{inner}}}\n"


def _facts() -> tuple[dict[str, object], list[str]]:
    errors: list[str] = []
    facts: dict[str, object] = {
        "cpu_count": os.cpu_count(),
        "runner_version": WIRE_VERSION,
        "receptor_runner_version": __version__,
        "python_version": platform.python_version(),
        "isolation_engines": engine_versions(),
        "ansible_playbook": shutil.which("ansible-playbook") or installed_script("ansible-playbook"),
        "inotify": inotify_limits(),
        "unix_time": round(time.time(), 3),
    }
    readers = (
        ("ansible_core_version", _ansible_core_version),
        ("receptorctl_version", lambda: installed_version("receptorctl")),
        ("disk_free_in_bytes", _disk_free),
        ("mem_in_bytes", _memory_bytes),
        ("uuid", _node_uuid),
    )
    for key, read in readers:
        try:
            facts[key] = read()
        except (OSError, RuntimeError, ValueError, StopIteration) as error:
            facts[key] = None
            errors.append(f"{key}: {error}")
    return facts, errors


def _ansible_core_version() -> str | None:
    """Return the version of the ansible-core that is installed beside this package; None if there is none."""
    return installed_version("ansible-core")


def _disk_free() -> dict[str, int | None]:
    """Return the bytes that are free where units and temporary directories are; None for units outside of a node.

    Source: a node keeps the payload in a file below its datadir, and gives that file to the unit's command as stdin.
    """
    is_payload = stat.S_ISREG(os.fstat(0).st_mode)
    return {"units": free_space(0) if is_payload else None, "temporary": free_space(tempfile.gettempdir())}


def _memory_bytes() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("MemTotal:")).split()[1]) * 1024


def _node_uuid() -> str:
    """Return the uuid of this node, which the peer keeps in the same file."""
    path = Path.home() / _UUID_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        path.chmod(0o600)
        return path.read_text().strip()
    with open(descriptor, "w") as file:
        fresh = str(uuid.uuid4())
        file.write(fresh)
    return fresh


def _yaml(value: object) -> str:
    """Return a value as YAML: plain where that is unmistakable, else as JSON, which YAML includes."""
    return value if isinstance(value, str) and _PLAIN(value) else json.dumps(value)
