"""The kinds of values that job options take, and what is accepted for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any


class Kind(Enum):
    """A kind of value, with its name in error messages."""

    IDENT = "text, a number or a UUID"
    TEXT = "text"
    SCALAR = "text or a number"
    BOOLEAN = "true or false"
    INTEGER = "a whole number"
    NUMBER = "a number"
    TEXTS = "a list of texts"
    PLAYS = "a list of plays"
    MAPPING = "a mapping"

    def convert(self, value: Any) -> Any:
        """Return the value as this kind; callers pass "5" for forks, or an int as ident.

        Raises:
            TypeError, ValueError: it is of another kind.
        """
        return _CONVERTERS[self](value)


def _instance(*types: type[Any]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not isinstance(value, types):
            raise TypeError(type(value).__name__)
        return value

    return check


def _ident(value: Any) -> str:
    if isinstance(value, str):
        return value
    import uuid

    return value.hex if isinstance(value, uuid.UUID) else str(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        raise TypeError("bool")
    return str(_instance(str, int, float)(value))


def _boolean(value: Any) -> bool:
    return bool(_instance(bool, int)(value))


def _texts(value: Any) -> list[str]:
    return [_instance(str)(item) for item in _instance(list)(value)]


_CONVERTERS: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.IDENT: _ident,
    Kind.TEXT: _instance(str),
    Kind.SCALAR: _scalar,
    Kind.BOOLEAN: _boolean,
    Kind.INTEGER: int,
    Kind.NUMBER: float,
    Kind.TEXTS: _texts,
    Kind.PLAYS: _instance(list),
    Kind.MAPPING: _instance(dict),
}
