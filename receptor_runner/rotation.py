"""Removes the artifacts of old jobs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from receptor_runner.system.files import remove_tree


def rotate_artifacts(
    artifact_dir: Path, keep: int, may_remove: Callable[[str], bool] = lambda _name: True
) -> None:
    """Remove the oldest artifact directories, so that `keep` are left.

    Files and links are kept, and so is what cannot be removed.

    Args:
        artifact_dir: the directory of the current job, which counts and is never removed.
        keep: how many to keep; 0 keeps all.
        may_remove: called with the name of each directory that would be removed.
    """
    if keep < 1:
        return
    others = [entry for entry in os.scandir(artifact_dir.parent) if entry.is_dir(follow_symlinks=False)]
    old = [entry for entry in others if entry.name != artifact_dir.name]
    old.sort(key=lambda entry: entry.stat(follow_symlinks=False).st_mtime, reverse=True)
    for entry in old[keep - 1 :]:
        if may_remove(entry.name):
            remove_tree(Path(entry.path))
