"""What may be kept, when it pays to ask for it, and what goes when there is no room: decisions without IO."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

DEFAULT_LIMIT = 2 << 30
"""Bytes that a store holds unless the worker is told otherwise."""

WORTH_ASKING = 4 << 20
"""Packed bytes from which on the question pays: it costs a unit, about as long as a mesh takes for so many bytes."""

_INVENTORY_PARTS = frozenset({"group_vars", "host_vars", "inventory", "inventories", "hosts"})
_SHARED_TREES = ("project/", "roles/", "collections/", "outside/")
_READABLE_BY_OTHERS = 0o077


def may_be_kept(name: str, mode: int) -> bool:
    """Return whether a worker may keep a file beyond the job.

    Environment, inventories and artifacts are of the job alone, and what only its owner may read counts as a secret:
    keys and password files lie in projects too. So do inventories: they are known by their usual names.

    Args:
        name: its name in the private data directory.
        mode: its unix mode.
    """
    is_shared = name.startswith(_SHARED_TREES) and not _INVENTORY_PARTS.intersection(name.split("/"))
    return is_shared and bool(mode & _READABLE_BY_OTHERS)


class Kept(NamedTuple):
    """A file of a store.

    Attributes:
        name: its place there.
        size: bytes of it.
        used_at: when it was used last, in seconds since the epoch.
    """

    name: str
    size: int
    used_at: float


def superfluous(files: Iterable[Kept], limit: int) -> list[Kept]:
    """Return what must go so that the rest fits into a limit: the least recently used.

    Args:
        files: all that is there.
        limit: bytes that may stay.
    """
    room = limit
    gone: list[Kept] = []
    for file in sorted(files, key=lambda file: (-file.used_at, file.name)):
        if gone or file.size > room:
            gone.append(file)  # from the first one that does not fit on: older ones are not kept in its stead
        else:
            room -= file.size
    return gone
