"""How the daemon reads a single value: booleans, numbers, durations.

Go reads the two forms of the file with different libraries. The v1 list goes through YAML 1.1 (`yes` is a boolean,
`0660` is octal) and then, where a key wants another type than YAML found, through a command line parser with words of
its own. The v2 map goes through YAML 1.2 and a decoder that converts between any two types.
"""

from __future__ import annotations

import re
from enum import Flag, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Reader(Flag):
    """Who takes a word for a boolean."""

    YAML_1 = auto()  # v1, unquoted: YAML itself
    TEXT_1 = auto()  # v1, what YAML calls text: the command line parser
    V2 = auto()  # v2, quoted or not


_ANY = _Reader.YAML_1 | _Reader.TEXT_1 | _Reader.V2

# Go compares case by case: `yEs` is text to all of them, and the command line parser knows `Y` but not `y`.
_BOOLEANS: dict[str, tuple[bool, _Reader]] = {
    word: (value, readers)
    for value, words, readers in (
        (True, "true True TRUE", _ANY),
        (True, "yes Yes YES Y", _Reader.YAML_1 | _Reader.TEXT_1),
        (True, "on On ON y", _Reader.YAML_1),
        (True, "1 t T", _Reader.TEXT_1 | _Reader.V2),
        (False, "false False FALSE", _ANY),
        (False, "no No NO N", _Reader.YAML_1 | _Reader.TEXT_1),
        (False, "off Off OFF n", _Reader.YAML_1),
        (False, "0 f F", _Reader.TEXT_1 | _Reader.V2),
    )
    for word in words.split()
}
_BOOLEANS_ANY_CASE = {word.lower(): value for word, (value, _) in _BOOLEANS.items()}

NULLS = frozenset({"", "~", "null", "Null", "NULL"})

_COUNT = re.compile(r"[+-]?(0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0[bB][01_]+|[0-9][0-9_]*)")
_NUMBER = re.compile(r"[+-]?(\d[\d_]*\.?[\d_]*|\.[\d_]+)([eE][+-]?\d+)?")
_OCTAL = re.compile(r"[+-]?0[0-7]+")
_NOT_POSITIVE = re.compile(r"-.*|\+?(0[xXoObB])?[0_]*\.?0*([eE].*)?")

DURATION = re.compile(r"[+-]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)")
_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def read_boolean(text: str, *, quoted: bool, version: int) -> bool | None:
    """Return what a key that holds true or false gets from a value, None if the daemon refuses the value.

    Args:
        text: the value as written, without quotes.
        quoted: whether it stands in quotes.
        version: the form of the file, 1 or 2.
    """
    value, readers = _BOOLEANS.get(text, (False, _Reader(0)))
    if version == 2:
        return value if _Reader.V2 in readers else None
    if not quoted and _Reader.YAML_1 in readers:
        return value
    # An unquoted 1 is a number to YAML, and v1 converts only text to booleans.
    is_text = quoted or not is_number(text)
    return value if is_text and _Reader.TEXT_1 in readers else None


def read_setting_boolean(text: str) -> bool | None:
    """Return the boolean that a person means by a word, in any case; None if it is not one."""
    return _BOOLEANS_ANY_CASE.get(text.lower())


def is_boolean_anywhere(text: str) -> bool:
    """Return whether some reader of YAML takes that word for a boolean."""
    return text.lower() in _BOOLEANS_ANY_CASE


def is_yaml_boolean(text: str) -> bool:
    """Return whether YAML 1.1, which v1 is read with, takes that unquoted word for a boolean."""
    return _Reader.YAML_1 in _BOOLEANS.get(text, (False, _Reader(0)))[1]


def read_text(text: str, *, version: int) -> str:
    """Return what a key that holds text gets from an unquoted value.

    YAML decides on the type first, and the daemon writes the result out again: `007` becomes "7", and `yes` becomes
    "true" in v1.
    """
    if version == 1 and is_yaml_boolean(text):
        return "true" if _BOOLEANS[text][0] else "false"
    if version == 2 and text.lower() in {"true", "false"} and text in _BOOLEANS:
        return "1" if _BOOLEANS[text][0] else "0"
    if (number := whole_number(text)) is not None:
        return str(number)
    if _NUMBER.fullmatch(text):
        fixed = f"{float(text):f}"
        return fixed if version == 1 else fixed.rstrip("0").rstrip(".")
    return text


def whole_number(text: str) -> int | None:
    """Return a whole number as Go reads it, None if it is none: 0660 and 0o660 are octal, 0x1b0 is hexadecimal."""
    digits = text.replace("_", "")
    if not _COUNT.fullmatch(text):
        return None
    try:
        return int(digits, 8) if _OCTAL.fullmatch(digits) else int(digits, 0)
    except ValueError:
        return None


def is_count(text: str) -> bool:
    """Return whether that is a whole number, in any of YAML's spellings."""
    return bool(_COUNT.fullmatch(text))


def is_number(text: str) -> bool:
    """Return whether that is a number, whole or not."""
    return is_count(text) or bool(_NUMBER.fullmatch(text))


def is_positive(number: str) -> bool:
    """Return whether that number is greater than 0."""
    return not _NOT_POSITIVE.fullmatch(number)


def read_duration_s(duration: str) -> float | None:
    """Return a duration such as 1h30m in seconds, or None if it is not one (the syntax is Go's)."""
    if not DURATION.fullmatch(duration):
        return None
    parts = re.findall(r"(\d+\.?\d*|\.\d+)([a-zµμ]+)", duration)
    total = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    return -total if duration.startswith("-") else total


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant, or None."""
    import difflib  # needed only for a mistake, and not cheap

    found = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return found[0] if found else None
