"""Cutting hosts into slices, and limiting a run of Ansible to one of them. No IO."""

from __future__ import annotations

import re
from collections.abc import Collection

IMPLICIT_LOCALHOST = frozenset({"localhost", "127.0.0.1", "::1"})
"""The names that Ansible takes for this machine although no inventory lists them."""


def cut(hosts: Collection[str], count: int) -> list[tuple[str, ...]]:
    """Return the hosts of each slice: sorted by name, every `count`-th host from the slice's own offset.

    The slices differ by one host at most, and a host stays in its slice as long as the names before it do. There are
    never more slices than hosts.

    Args:
        hosts: all hosts; a name that occurs twice counts once.
        count: how many slices are wanted, 1 at least.

    Source: AWX's job slicing orders the hosts of an inventory by name and takes them the same way.
    """
    ordered = sorted(set(hosts))
    return [tuple(ordered[offset::count]) for offset in range(min(count, len(ordered)))]


def limit_lines(hosts: Collection[str], *, with_localhost: bool) -> str:
    """Return the content of the file that limits a run of Ansible to the hosts of a slice.

    Args:
        hosts: the slice's hosts.
        with_localhost: whether plays for the implicit localhost run too.

    Source: `--limit @FILE` takes one pattern a line, and a line that is the name of a host is never read as a pattern,
        so that a name may hold a colon or a bracket. The implicit localhost is matched only if it is named.
    """
    lines = [*hosts]
    if with_localhost and not IMPLICIT_LOCALHOST & set(hosts):
        lines.append("localhost")
    return "".join(f"{line}\n" for line in lines)


def names_localhost(limit: str | None) -> bool:
    """Return whether plays for the implicit localhost run under a limit: without one they do, else if it is named."""
    return limit is None or "localhost" in re.split("[,:;]", limit)
