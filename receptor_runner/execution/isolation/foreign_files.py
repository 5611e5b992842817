"""Files that a rootless container has left, owned by users that exist inside only."""

from __future__ import annotations

import os
from pathlib import Path


def has_foreign_files(directory: Path) -> bool:
    """Whether anything below a directory belongs to another user than ours."""
    own = os.geteuid()
    return any(
        os.lstat(os.path.join(parent, name)).st_uid != own  # noqa: PTH118 - quick, for many files
        for parent, names, files in os.walk(directory)
        for name in (*names, *files)
    )
