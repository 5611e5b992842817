"""What a pattern matches: directories, and whether they are a worker's; links apart."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from pathlib import Path

from receptor_runner.cleanup.claims import is_marked

_WILDCARD = re.compile(r"\[!?\]?[^]]*\]|[*?]")
_WORD = re.compile(r"[^\W_]")
_DEPTH = 2
"""How deep below the root a directory is at least that goes although no worker marked it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A directory that a pattern matches.

    Attributes:
        name: its path as the pattern gives it.
        path: its path without links.
        is_ours: whether a worker made it, or the pattern names it well enough.
    """

    name: str
    path: Path
    is_ours: bool


def find(pattern: str) -> tuple[list[Match], list[str]]:
    """Return the directories that a pattern matches, and the names to which only a link leads, both in order.

    Links in front of the first wildcard count as meant. Files are left out.

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
    """Whether the last part of a pattern holds a letter or digit of its own beside wildcards."""
    return bool(_WORD.search(_WILDCARD.sub("", Path(pattern).name)))


def _is_linked(name: str, pattern: str) -> bool:
    """Whether a match is a link, or one of the parts that a wildcard matched is."""
    fixed = _fixed_parts(pattern)
    path = Path(name)
    return path.is_symlink() or any(
        parent.is_symlink() for parent in path.parents if len(parent.parts) > fixed
    )


def _fixed_parts(pattern: str) -> int:
    """Return how many parts of a pattern come before its first wildcard."""
    parts = Path(pattern).parts
    return next((index for index, part in enumerate(parts) if glob.has_magic(part)), len(parts))
