"""Removes the artifacts of old jobs."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from receptor_runner.artifacts import INDEX_NAME, sliced_job_ident
from receptor_runner.system.files import remove_tree


def rotate_artifacts(
    artifact_dir: Path, keep: int, may_remove: Callable[[str], bool] = lambda _name: True
) -> None:
    """Remove the oldest artifact directories, so that those of `keep` jobs are left.

    A sliced job counts once, and is removed with all of its slices or not at all. Files and links are
    kept, and so is what cannot be removed.

    Args:
        artifact_dir: the directory of the current job, which counts and is never removed.
        keep: how many to keep; 0 keeps all.
        may_remove: called with the name of each directory that would be removed.
    """
    if keep < 1:
        return
    jobs: dict[str, list[os.DirEntry[str]]] = defaultdict(list)
    try:
        entries = list(os.scandir(artifact_dir.parent))
    except PermissionError:  # so nothing in it can be removed either
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            jobs[_job_of(artifact_dir.parent, entry.name)].append(entry)
    jobs.pop(_job_of(artifact_dir.parent, artifact_dir.name), None)
    for entries in sorted(jobs.values(), key=_changed_at, reverse=True)[keep - 1 :]:
        if all(may_remove(entry.name) for entry in entries):
            for entry in entries:
                remove_tree(Path(entry.path))


def _job_of(artifacts: Path, name: str) -> str:
    """Return the ident of the job to which a directory belongs, as a slice or as the job itself."""
    sliced = sliced_job_ident(name)
    return sliced if sliced and (artifacts / sliced / INDEX_NAME).is_file() else name


def _changed_at(entries: list[os.DirEntry[str]]) -> float:
    return max(entry.stat(follow_symlinks=False).st_mtime for entry in entries)
