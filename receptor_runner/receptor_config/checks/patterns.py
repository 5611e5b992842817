"""Finds certain faults in a regular expression for the daemon, whose syntax is Go's (RE2).

Python's `re` cannot judge it: each accepts what the other refuses. Only faults that are certain are reported.
"""

from __future__ import annotations

import re

# Whatever holds brackets or signs that have no special meaning there: \Q...\E, an escape, a whole character class.
_LITERAL = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.|\[\^?+\]?+(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]", re.DOTALL)
_FAULTS = (
    (re.compile(r"\["), "unclosed ["),
    (re.compile(r"\(\?(?:<?[=!]|>)"), "Go has no look-around"),
    (re.compile(r"[(|][*+]|\|\?"), "nothing to repeat"),
)


def find_fault(pattern: str) -> str | None:
    """Return why Go cannot compile a pattern, None if it may well be able to.

    Args:
        pattern: the regular expression, without the slashes around it.

    Source: the daemon compiles it between ^ and $, and silently drops a pattern that does not compile.
    """
    bare = _LITERAL.sub("x", f"^{pattern}$")
    found = next((fault for sign, fault in _FAULTS if sign.search(bare)), None)
    return found or _unbalanced(bare)


def _unbalanced(bare: str) -> str | None:
    depth = 0
    for char in bare:
        depth += {"(": 1, ")": -1}.get(char, 0)
        if depth < 0:
            return "unmatched )"
    return "unclosed (" if depth else None
