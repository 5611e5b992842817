"""Small words both the templates and the linter know: booleans, durations, near misses."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

BOOLEANS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}

_COUNT = re.compile(r"[+-]?(0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0[bB][01_]+|[0-9][0-9_]*)")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_NOT_POSITIVE = re.compile(r"-.*|\+?(0[xXoObB])?[0_]*\.?0*([eE].*)?")

DURATION = re.compile(r"[+-]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)")


def is_count(text: str) -> bool:
    """Return whether that is a whole number, in any of YAML's spellings."""
    return bool(_COUNT.fullmatch(text))


def is_number(text: str) -> bool:
    """Return whether that is a number, whole or not."""
    return is_count(text) or bool(_NUMBER.fullmatch(text))


def is_positive(number: str) -> bool:
    """Return whether that number is greater than 0."""
    return not _NOT_POSITIVE.fullmatch(number)


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant, or None."""
    found = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return found[0] if found else None


_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(duration: str) -> float | None:
    """Return a duration such as 1h30m in seconds, or None when it is not one (the syntax is Go's)."""
    if not DURATION.fullmatch(duration):
        return None
    parts = re.findall(r"(\d+\.?\d*|\.\d+)([a-zµμ]+)", duration)
    total = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    return -total if duration.startswith("-") else total
