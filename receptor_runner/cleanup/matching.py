"""The directories that a pattern matches, and the symbolic links among them."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from pathlib import Path

from receptor_runner.system.claims import is_marked

_WILDCARD = re.compile(r"\[!?\]?[^]]*\]|[*?]")
_WORD = re.compile(r"[^\W_]")
_DEPTH = 2
"""Directories at this depth or above are removed only if a worker marked them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A directory that a pattern matches.

    Attributes:
        name: its path as the pattern matched it.
        path: its resolved path.
        is_ours: a worker created it, or the pattern has a literal name.
    """

    name: str
    path: Path
    is_ours: bool


def find(pattern: str) -> tuple[list[Match], list[str]]:
    """Return the directories that a pattern matches, and the matches that are reached through a link, both sorted.

    Links before the first wildcard are followed. Files are ignored.

    Args:
        pattern: a glob; relative ones start at the current directory.
    """
    names = sorted({name.rstrip("/") or "/" for name in glob.glob(pattern)})  # noqa: PTH207 - the pattern may be absolute
    links = [name for name in names if _is_linked(name, pattern)]
    is_explicit = _is_explicit(pattern)
    return [_match(name, is_explicit) for name in names if name not in links and Path(name).is_dir()], links


def _match(name: str, is_explicit: bool) -> Match:
    path = Path(name).resolve()
    is_deep = len(path.parts) > _DEPTH
    return Match(name=name, path=path, is_ours=(is_explicit and is_deep) or is_marked(path))


def _is_explicit(pattern: str) -> bool:
    """Whether the last part of a pattern has a letter or digit outside of its wildcards."""
    return bool(_WORD.search(_WILDCARD.sub("", Path(pattern).name)))


def _is_linked(name: str, pattern: str) -> bool:
    """Whether a match, or a parent that a wildcard matched, is a link."""
    fixed = _fixed_parts(pattern)
    path = Path(name)
    return path.is_symlink() or any(
        parent.is_symlink() for parent in path.parents if len(parent.parts) > fixed
    )


def _fixed_parts(pattern: str) -> int:
    """Return the number of path parts before the first wildcard."""
    parts = Path(pattern).parts
    return next((index for index, part in enumerate(parts) if glob.has_magic(part)), len(parts))
