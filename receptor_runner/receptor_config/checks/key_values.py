"""Checks that each value is one the daemon can read for its key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from receptor_runner.receptor_config.checks.keys import need_of
from receptor_runner.receptor_config.document import Block, Document, Entry, Items, Scalar, Table
from receptor_runner.receptor_config.findings import Finding, error, warning
from receptor_runner.receptor_config.schema import Key, Need, Type
from receptor_runner.receptor_config.values import is_count, is_number, read_boolean

if TYPE_CHECKING:
    from collections.abc import Iterator

# Numbers that do not come back as they are written: octal, hexadecimal, underscores, fractions, exponents.
_CHANGED = re.compile(
    r"[+-]?(0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|0[\d_]+|\d[\d_]*_[\d_]*"
    r"|(\d+\.\d*|\.\d+)([eE][+-]?\d+)?|\d+[eE][+-]?\d+)"
)
_NESTED = {Type.MAP: Table, Type.RULES: Items}
# v2 accepts these without a value but gives them a harmful default, which another check reports.
_REPORTED_ELSEWHERE = {("work-signing", "tokenexpiration"), ("ws-listener", "path")}


def check_values(document: Document) -> Iterator[Finding]:
    """Yield findings about the value of each known key."""
    for block in document.blocks:
        for entry in block.entries:
            key = block.kind.key(entry.name)
            if key is not None:
                yield from _check_value(block, key, entry)


def _check_value(block: Block, key: Key, entry: Entry) -> Iterator[Finding]:
    value = entry.value
    required = need_of(block, key) is Need.REQUIRED
    if isinstance(value, Scalar) and (value.is_null or (required and not value.text)):
        yield from _empty(block, key, entry)
    elif key.type is Type.NAMES:
        yield from _check_names(entry)
    elif key.type in _NESTED:
        if not isinstance(value, _NESTED[key.type]) and not _is_json(value):
            yield _wrong(entry, f"{entry.written} must be a {key.type.value}")
    elif not isinstance(value, Scalar):
        yield _wrong(entry, f"{entry.written} must be a single value ({key.type.value}), not a list or a map")
    else:
        yield from _check_scalar(block, key, entry, value)


def _is_json(value: object) -> bool:
    """Source: v1 decodes a text that begins with a bracket as JSON where it wants a list or a map."""
    return isinstance(value, Scalar) and value.quoted and value.text[:1] in {"[", "{"}


def _empty(block: Block, key: Key, entry: Entry) -> Iterator[Finding]:
    is_reported = block.version == 2 and (block.kind.name, key.name) in _REPORTED_ELSEWHERE
    if key.type is Type.NAMES or key.type in _NESTED or is_reported:
        return
    if need_of(block, key) is Need.REQUIRED:
        message = f"{entry.written} is empty, and {block.kind.name} does nothing without it"
        yield error("empty-value", entry.line, message)
    elif block.version == 1:
        yield error("empty-value", entry.line, f"{entry.written} is empty; the daemon refuses this file")
    else:
        yield warning("empty-value", entry.line, f"{entry.written} is empty; the daemon uses its default")


def _check_scalar(block: Block, key: Key, entry: Entry, value: Scalar) -> Iterator[Finding]:
    said = f"{entry.written}: {value.text}"
    if key.type is Type.FLAG:
        if read_boolean(value.text, quoted=value.quoted, version=block.version) is None:
            hint = "write true or false" if block.version == 1 else "v2 accepts only true or false"
            yield _wrong(entry, f"{said} is not a boolean", hint)
    elif key.type is Type.COUNT and not is_count(value.text):
        yield _wrong(entry, f"{said} is not a whole number")
    elif key.type is Type.NUMBER and not is_number(value.text):
        yield _wrong(entry, f"{said} is not a number")
    elif key.type is Type.TEXT and not value.quoted and _CHANGED.fullmatch(value.text):
        message = f"YAML reads {said} as a number, so the daemon gets {block.text(key.name)!r}"
        yield warning("number-as-text", entry.line, message, f'quote it: "{value.text}"')


def _check_names(entry: Entry) -> Iterator[Finding]:
    if isinstance(entry.value, Scalar):
        return
    values = entry.value.values if isinstance(entry.value, Items) else ()
    if isinstance(entry.value, Table) or not all(isinstance(value, Scalar) for value in values):
        yield _wrong(entry, f"{entry.written} must be a list of text")
    for value in values:
        if isinstance(value, Scalar) and not value.quoted and is_number(value.text):
            message = f"{entry.written}: YAML reads {value.text} as a number, not as text"
            yield warning("number-as-text", value.line, message, f'quote it: "{value.text}"')


def _wrong(entry: Entry, message: str, hint: str | None = None) -> Finding:
    return error("bad-value", entry.line, message, hint)
