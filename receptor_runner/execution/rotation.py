"""Removes the artifacts of old jobs."""

from __future__ import annotations

import os
from pathlib import Path

from receptor_runner.system.files import remove_tree


def rotate_artifacts(artifact_dir: Path, keep: int) -> None:
    """Remove the oldest artifact directories beside one's own, so that `keep` are left.

    Args:
        artifact_dir: one's own, which counts and is never removed.
        keep: how many are kept; 0 keeps all.

    Plain files and links are left alone, and what cannot be removed stays.
    """
    if keep < 1:
        return
    others = [entry for entry in os.scandir(artifact_dir.parent) if entry.is_dir(follow_symlinks=False)]
    old = [entry for entry in others if entry.name != artifact_dir.name]
    old.sort(key=lambda entry: entry.stat(follow_symlinks=False).st_mtime, reverse=True)
    for entry in old[keep - 1 :]:
        remove_tree(Path(entry.path))
