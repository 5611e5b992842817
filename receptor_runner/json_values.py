"""Values of JSON to values of ours, with every type checked."""

from __future__ import annotations

import threading
from typing import TypeVar

_LOCK = threading.Lock()

Kind = TypeVar("Kind")


def from_json(value: object, kind: type[Kind]) -> Kind:
    """Return a dataclass from a JSON object; keys that it does not have are ignored.

    Args:
        value: the object, as `json` reads it.
        kind: the dataclass; its types may be dataclasses, enums and tuples too.

    Raises:
        ValueError: a key is missing, or a value has another type; the text says which.
    """
    import msgspec

    try:
        # msgspec 0.22 crashes where two threads are the first to convert to a kind: each prepares the kind for itself.
        with _LOCK:
            return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
