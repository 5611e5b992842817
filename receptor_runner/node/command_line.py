"""Splitting parameters as the daemon does: words, quotes, backslashes and comments, without a shell.

Python's shlex differs in comments, in escapes within double quotes and in its errors, which clients see.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"""(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s'"\\])+""", re.DOTALL)
_PART = re.compile(r"""\\(.)|'([^']*)'|"((?:\\.|[^"\\])*)"|([^\s'"\\]+)""", re.DOTALL)
_GAP = re.compile(r"(?:\s+|(?<!\S)#[^\n]*)*")


class UnbalancedQuotes(ValueError):
    """A quote that is not closed, or a backslash at the end."""


def split_params(params: str) -> list[str]:
    """Split a command line into words.

    Args:
        params: the text of a work command's parameters.

    Returns:
        The words, quotes and backslashes resolved; a word that starts with # starts a comment.

    Raises:
        UnbalancedQuotes: with the daemon's own words.
    """
    words: list[str] = []
    position = _skip_gap(params, 0)
    while position < len(params):
        match = _WORD.match(params, position)
        if match is None or _ends_inside_word(params, match.end()):
            raise UnbalancedQuotes(_explain(params))
        words.append(_PART.sub(_resolve_part, match.group()))
        position = _skip_gap(params, match.end())
    return words


def join_params(base: str, runtime: str) -> str:
    """Join the configured parameters and those of a submit."""
    return " ".join(part for part in (base, runtime) if part)


def _skip_gap(params: str, start: int) -> int:
    match = _GAP.match(params, start)
    return start if match is None else match.end()


def _ends_inside_word(params: str, end: int) -> bool:
    return end < len(params) and not params[end].isspace()


def _resolve_part(match: re.Match[str]) -> str:
    escaped, single, double, plain = match.groups()
    if double is not None:
        return re.sub(r"\\(.)", r"\1", double, flags=re.DOTALL)
    return next(part for part in (escaped, single, plain) if part is not None)


def _explain(params: str) -> str:
    trailing = len(params) - len(params.rstrip("\\"))
    return "EOF found after escape character" if trailing % 2 else "EOF found when expecting closing quote"
