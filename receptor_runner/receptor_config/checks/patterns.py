"""What is surely wrong with a regular expression of the daemon's, whose syntax is Go's (RE2)."""

from __future__ import annotations

import re

# Whatever holds brackets or signs that mean nothing there: \Q...\E, an escape, a whole character class.
_LITERAL = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.|\[\^?+\]?+(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]", re.DOTALL)
_FAULTS = (
    (re.compile(r"\["), "a [ is never closed"),
    (re.compile(r"\(\?(?:<?[=!]|>)"), "Go has no look-around"),
    (re.compile(r"[(|][*+]|\|\?"), "there is nothing to repeat"),
)


def fault_of(pattern: str) -> str | None:
    """Return what keeps a pattern from being one, None if that cannot be said for sure.

    Args:
        pattern: the regular expression, without the slashes around it.

    Source: the daemon compiles it between ^ and $, and drops what does not compile without a word.
    """
    bare = _LITERAL.sub("x", f"^{pattern}$")
    found = next((fault for sign, fault in _FAULTS if sign.search(bare)), None)
    return found or _unbalanced(bare)


def _unbalanced(bare: str) -> str | None:
    depth = 0
    for char in bare:
        depth += {"(": 1, ")": -1}.get(char, 0)
        if depth < 0:
            return "a ) is never opened"
    return "a ( is never closed" if depth else None
