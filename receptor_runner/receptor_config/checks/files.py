"""Checks of the files that a config names; what this user may not look at gets no finding."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.receptor_config.findings import Finding, error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator


def mode_of(filename: str) -> int | None:
    """Return the st_mode of a file, 0 if it does not exist, None if that is unknown to this user."""
    try:
        return Path(filename).stat().st_mode if filename else 0
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except (OSError, ValueError):
        return None


def check_readable(filename: str, line: int) -> Iterator[Finding]:
    """Yield a finding if that file does not exist or cannot be read."""
    try:
        Path(filename).open("rb").close()
    except (FileNotFoundError, ValueError):
        yield error("file-missing", line, f"{filename} does not exist")
    except OSError as fault:
        yield error("file-unreadable", line, f"cannot read {filename}: {fault.strerror}")


def check_secrecy(filename: str, line: int) -> Iterator[Finding]:
    """Yield a finding if other users can read that private key."""
    mode = mode_of(filename)
    if mode and stat.S_ISREG(mode) and mode & 0o007:
        message = f"every user on this machine can read the private key {filename}"
        yield warning("key-exposed", line, message, f"chmod 600 {filename}")


def first_line(fault: Exception) -> str:
    """Return the first line of an exception's text; cryptography adds paragraphs of advice."""
    return (str(fault).splitlines() or [type(fault).__name__])[0]
