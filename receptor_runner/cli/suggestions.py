"""Which name was meant by one that does not exist."""

from __future__ import annotations

from collections.abc import Iterable

_SHORTEST_BEGINNING = 3
_LIKENESS = 0.65
"""Below it a suggestion is a guess: click's own 0.6, dashes included, takes `--nonsense` for `--node`."""


def nearest(word: str, names: Iterable[str]) -> str | None:
    """Return the name that a word is the beginning of, else the one that it resembles, else None.

    Args:
        word: what was typed.
        names: what there is; dashes in front do not count for the likeness.
    """
    import difflib

    by_text = {name.lstrip("-"): name for name in names}
    bare = word.lstrip("-")
    if len(bare) >= _SHORTEST_BEGINNING:
        begun = [name for text, name in by_text.items() if text.startswith(bare)]
        if begun:
            return begun[0]
    near = difflib.get_close_matches(bare, list(by_text), n=1, cutoff=_LIKENESS)
    return by_text[near[0]] if near else None
