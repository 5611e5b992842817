"""Replies as Receptor writes them: one line, JSON with sorted keys or an error."""

from __future__ import annotations

from receptor_runner.node.unit_status import encode_json

_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"))


def encode_reply(reply: dict[str, object]) -> bytes:
    """Encode a reply: compact, keys sorted at every level."""
    return encode_json(_sort(reply)) + b"\n"


def encode_error(text: str) -> bytes:
    """Encode an error: one line, whatever the text."""
    return b"ERROR: " + " ".join(text.splitlines()).encode("utf-8", "replace") + b"\n"


def format_duration(nanoseconds: int) -> str:
    """Format a duration of less than a minute as Receptor does: `891ns`, `20.821µs`, `1.5ms`."""
    for size, name in _UNITS:
        if nanoseconds >= size:
            digits = f"{nanoseconds / size:.9f}".rstrip("0").rstrip(".")
            return f"{digits}{name}"
    return f"{nanoseconds}ns" if nanoseconds else "0s"


def _sort(value: object) -> object:
    # Go's JSON encoder sorts the keys of maps, but writes the fields of structs in their order.
    if isinstance(value, Ordered):
        return {key: _sort(item) for key, item in value.items()}
    if isinstance(value, dict):
        return {key: _sort(value[key]) for key in sorted(value)}
    return [_sort(item) for item in value] if isinstance(value, list) else value


class Ordered(dict[str, object]):
    """A mapping whose keys keep their order in a reply."""
