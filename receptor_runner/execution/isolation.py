"""The one place that says how a command is wrapped, and how its events get out of what it is wrapped in.

There is one way so far: the command runs as it is, and its events come through an inherited descriptor.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from receptor_runner.artifacts import make_directory
from receptor_runner.errors import ConfigError
from receptor_runner.execution.command import Plan
from receptor_runner.execution.event_channel import DESCRIPTOR, VARIABLE
from receptor_runner.execution.guardian_client import Program
from receptor_runner.job import Job

KNOWN = ("podman", "docker", "bwrap")


def check_isolation(job: Job) -> None:
    """Check what a job says about isolation.

    Raises:
        ConfigError: the job wants a process isolation that is unknown, incomplete or not available here.
    """
    if not job.process_isolation:
        return
    wanted = job.process_isolation_executable or "podman"
    if Path(wanted).name not in KNOWN:
        raise ConfigError(
            f"unknown process_isolation_executable `{wanted}`", hint=f"known are {', '.join(KNOWN)}"
        )
    raise ConfigError(
        f"process isolation by {wanted} is not available on this worker",
        hint="run the job without process_isolation, or on a node whose work type is ansible-runner",
    )


def wrap(plan: Plan) -> Program:
    """Return the program that carries out a plan and sends its events."""
    return Program(
        name=plan.command[0],
        argv=plan.command,
        env={**plan.env, VARIABLE: str(DESCRIPTOR)},
        cwd=plan.cwd,
        terminal=True,
        descriptors={},
    )


def copy_project(job: Job, cwd: Path) -> Path | None:
    """Copy the project below directory_isolation_base_path, if the job names one, and return the copy.

    The copy is a fresh directory, so that removing it never touches the base path or what else is in it.
    """
    base = job.directory_isolation_base_path
    if not base or job.module:
        return None
    copy = Path(tempfile.mkdtemp(prefix="runner_di_", dir=make_directory(Path(base).absolute())))
    try:
        shutil.copytree(cwd, copy, dirs_exist_ok=True, symlinks=True)
    except BaseException:
        shutil.rmtree(copy, ignore_errors=True)
        raise
    return copy
