"""Removes the artifacts of old jobs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path


def rotate_artifacts(
    artifact_dir: Path, keep: int, may_remove: Callable[[str], bool] = lambda _name: True
) -> None:
    """Remove the oldest artifact directories beside a job's own, so that `keep` are left.

    Plain files and links are left alone, and what cannot be removed stays.

    Args:
        artifact_dir: the job's own, which counts and is never removed.
        keep: how many are kept; 0 keeps all.
        may_remove: asked with the name of each directory that is to go.
    """
    if keep < 1:
        return
    others = [entry for entry in os.scandir(artifact_dir.parent) if entry.is_dir(follow_symlinks=False)]
    old = [entry for entry in others if entry.name != artifact_dir.name]
    old.sort(key=lambda entry: entry.stat(follow_symlinks=False).st_mtime, reverse=True)
    for entry in old[keep - 1 :]:
        if may_remove(entry.name):
            shutil.rmtree(entry.path, ignore_errors=True)
