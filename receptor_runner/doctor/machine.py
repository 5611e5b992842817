"""The steps that check this machine: what is installed, and where jobs keep their files."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from receptor_runner._version import __version__
from receptor_runner.doctor.limits import judge_space
from receptor_runner.doctor.steps import Step
from receptor_runner.doctor.verdict import Fault, Verdict, failed, ok
from receptor_runner.system.directories import state_directories
from receptor_runner.system.limits import free_space
from receptor_runner.system.packages import installed_version

THIS_MACHINE = "this machine"


@dataclass(slots=True)
class MachineView:
    """This machine; the steps learn nothing from each other."""


def machine_steps() -> list[Step[MachineView]]:
    """Return the steps for this machine."""
    return [
        Step(name="versions", check=_versions),
        Step(name="directories", check=_directories),
        Step(name="space", check=_space, needs=("directories",)),
    ]


def installed_versions() -> dict[str, str | None]:
    """Return the versions of what is installed here, by package; None for what is not."""
    found = {name: installed_version(name) for name in ("receptorctl", "ansible-core")}
    return {"receptor-runner": __version__, **found, "python": platform.python_version()}


def _versions(_view: MachineView) -> Verdict:
    versions = installed_versions()
    facts = {**versions, "receptor": shutil.which(os.environ.get("RECEPTOR_BIN") or "receptor")}
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        hint = "pip install --force-reinstall receptor-runner"
        return failed(f"not installed: {', '.join(missing)}", Fault.MISCONFIGURED, hint, facts)
    return ok(", ".join(f"{name} {version}" for name, version in versions.items()), facts)


def _directories(_view: MachineView) -> Verdict:
    places = {"state": next(state_directories(), None), "temporary": Path(tempfile.gettempdir())}
    facts = {name: str(place) if place else None for name, place in places.items()}
    if places["state"] is None:
        hint = "set HOME or XDG_STATE_HOME to a directory that this user can write"
        return failed("no directory for the state of jobs can be written", Fault.MISCONFIGURED, hint, facts)
    return ok(f"{places['state']}, {places['temporary']}", facts)


def _space(_view: MachineView) -> Verdict:
    places = {nearest_directory(next(state_directories())), Path(tempfile.gettempdir())}
    return judge_space({str(place): free_space(place) for place in sorted(places)})


def nearest_directory(path: Path) -> Path:
    """Return the nearest directory that exists: that of the state is made when it is first needed."""
    return next(parent for parent in (path, *path.parents) if parent.exists())
