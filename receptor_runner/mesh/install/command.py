"""The command that installs a mesh: ansible-playbook with the shipped playbook and the rendered inventory."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from receptor_runner._version import __version__
from receptor_runner.errors import MissingInput, UsageError
from receptor_runner.system.interpreter import installed_script

PLAYBOOK = Path(__file__).with_name("playbook.yml")
_LOCAL_PACKAGES = (".whl", ".tar.gz")
_ELF_MACHINES = {62: "x86_64", 183: "aarch64", 21: "ppc64le", 22: "s390x"}
_ELF_HEADER_BYTES = 20
"""Up to the end of the machine's number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What is to be installed on the hosts of a mesh.

    Args:
        inventory: the inventory of a rendered mesh.
        receptor: the daemon as a file on this machine, which is copied to the hosts.
        receptor_package: the name of the daemon's package, for the package managers of the hosts. With neither, the
            daemon must be on the hosts already.
        package: what pip installs on the hosts, or the path of a wheel on this machine, which is copied there. By
            default the version of this installation.
        options: further options of ansible-playbook.
    """

    inventory: Path
    receptor: Path | None = None
    receptor_package: str | None = None
    package: str = f"receptor-runner=={__version__}"
    options: tuple[str, ...] = ()


def install_command(installation: Installation) -> list[str]:
    """Return the words of the command that installs a mesh.

    Variables of the caller come last, and override ours.

    Raises:
        MissingInput: the daemon, the wheel or ansible-playbook is not there.
        UsageError: both a file and a package of the daemon are given, or a directory instead of a wheel.
    """
    variables = json.dumps({**_daemon(installation), **_package(installation.package)})
    return [
        _find_ansible_playbook(),
        "--inventory",
        str(installation.inventory),
        str(PLAYBOOK),
        "--extra-vars",
        variables,
        *installation.options,
    ]


def _daemon(installation: Installation) -> dict[str, str]:
    if installation.receptor and installation.receptor_package:
        raise UsageError("--receptor and --receptor-package exclude each other")
    if installation.receptor_package:
        return {"receptor_package": installation.receptor_package}
    if installation.receptor is None:
        return {}
    path = _existing(installation.receptor)
    return {"receptor_local_binary": path, "receptor_local_architecture": _architecture(path)}


def _architecture(path: str) -> str:
    """Return the architecture that a program is for, in the kernel's words; "" if it cannot be told.

    Source: the header of ELF files; the byte at 5 says in which order the bytes of numbers are.
    """
    with open(path, "rb") as program:
        header = program.read(_ELF_HEADER_BYTES)
    if len(header) < _ELF_HEADER_BYTES or not header.startswith(b"\x7fELF"):
        return ""
    machine = int.from_bytes(header[18:20], "big" if header[5] == 2 else "little")
    return _ELF_MACHINES.get(machine, "")


def _package(package: str) -> dict[str, str]:
    path = Path(package)
    if path.is_dir():
        raise UsageError(
            f"--package {package} is a directory",
            hint=f"python -m build --wheel {package}, and --package with the path of the wheel",
        )
    # A requirement of pip's may contain a slash, as in `receptor-runner @ git+https://...`, but is no file.
    if package.endswith(_LOCAL_PACKAGES) and "://" not in package:
        return {"receptor_runner_wheel": _existing(path)}
    return {"receptor_runner_package": package}


def _existing(path: Path) -> str:
    if not path.is_file():
        raise MissingInput(f"cannot install {path}", cause="there is no such file")
    return str(path.absolute())


def _find_ansible_playbook() -> str:
    """Return the ansible-playbook of this installation, which need not be on PATH."""
    found = installed_script("ansible-playbook") or shutil.which("ansible-playbook")
    if found is None:
        raise MissingInput("ansible-playbook is not found", hint="pip install ansible-core")
    return found
