"""The copy of a project that a job with directory_isolation_base_path works in."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from receptor_runner.artifacts import make_directory
from receptor_runner.job import Job
from receptor_runner.system.files import remove_tree


def copy_project(job: Job, project: Path) -> Path | None:
    """Copy the project below directory_isolation_base_path and return the copy, or None if the job names no such path.

    The copy is a fresh directory, so that removing it never touches the base path or what else is in it.
    """
    base = job.directory_isolation_base_path
    if not base or job.module:
        return None
    copy = Path(tempfile.mkdtemp(prefix="runner_di_", dir=make_directory(Path(base).absolute())))
    try:
        shutil.copytree(project, copy, dirs_exist_ok=True, symlinks=True)
    except BaseException:
        remove_tree(copy)
        raise
    return copy
