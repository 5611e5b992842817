"""Sockets that this user may not use: what is in the way, and the way in."""

from __future__ import annotations

import errno
import getpass
import grp
import os
import stat
from pathlib import Path

from receptor_runner.errors import NodeUnavailable, pasteable

_ROOT = 0
"""The group to which nobody should be added."""


def no_access(path: Path) -> NodeUnavailable:
    """Return the error for a socket that this user may not use."""
    closed = _closed_at(path)
    is_directory = closed != path
    cause = f"{user_name()} may not search {closed}, where a node for others may be"
    way = way_in(path) or pasteable("namei", "-l", path)
    return NodeUnavailable(
        f"no permission to use the socket {path}",
        cause=cause if is_directory else os.strerror(errno.EACCES),
        hint=f"{way}; or name the socket of another node with --socket" if is_directory else way,
    )


def way_in(path: Path) -> str | None:
    """Return how this user gets access to a socket through the group of what is closed; None if it does not help."""
    closed = _closed_at(path)
    needed = stat.S_IWGRP if closed == path else stat.S_IXGRP
    try:
        status = closed.stat()
    except OSError:
        return None
    if not status.st_mode & needed or status.st_gid == _ROOT:
        return None
    group = group_name(status.st_gid)
    return f"join its group and log in again: sudo usermod -aG {group} {user_name()}"


def _closed_at(path: Path) -> Path:
    """Return the first directory on the way to a socket that this user may not search, else the socket."""
    directories = reversed(Path(os.path.abspath(path)).parents)
    return next((one for one in directories if one.is_dir() and not os.access(one, os.X_OK)), path)


def group_name(gid: int) -> str:
    """Return the name of a group, its number if it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def user_name() -> str:
    """Return the name of this user, the number if there is none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())
