"""Wheels for the hosts of the tests, which install without an index."""

from __future__ import annotations

import sysconfig
import zipfile
from pathlib import Path

_SCRIPT = "#!python\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"


def other_version(wheel: Path, version: str, directory: Path) -> Path:
    """Write a copy of a wheel that says that it is of another version."""
    old = wheel.name.split("-")[1]
    copy = directory / wheel.name.replace(f"-{old}-", f"-{version}-")
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(copy, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith(("/_version.py", "/METADATA", "/RECORD")):
                content = content.replace(old.encode(), version.encode())
            target.writestr(name.replace(f"-{old}.", f"-{version}."), content)
    return copy


def dependencies_wheel(directory: Path) -> Path:
    """Make a wheel that leads to the packages that are installed here, instead of its own, and to their commands."""
    about = "receptor_runner_test_dependencies-1"
    files = {
        "receptor_runner_test_dependencies.pth": sysconfig.get_path("purelib") + "\n",
        f"{about}.data/scripts/ansible-playbook": _SCRIPT.format(
            module="ansible.cli.playbook", function="main"
        ),
        f"{about}.data/scripts/receptorctl": _SCRIPT.format(module="receptorctl", function="run"),
        f"{about}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {about[:-2]}\nVersion: 1\n",
        f"{about}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{about}.dist-info/RECORD"
    files[record] = "".join(f"{name},,\n" for name in [*files, record])
    path = directory / f"{about}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100755 if "/scripts/" in name else 0o100644) << 16
            archive.writestr(entry, text)
    return path
