"""Looks at the paths a config names, claiming nothing of what this user may not look at."""

from __future__ import annotations

from pathlib import Path


def mode_of(filename: str) -> int | None:
    """Return the st_mode of what is there, 0 if nothing is, None if that cannot be told."""
    try:
        return Path(filename).stat().st_mode if filename else 0
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except (OSError, ValueError):
        return None
