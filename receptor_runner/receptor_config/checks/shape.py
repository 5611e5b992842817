"""Rules about the form of a config: keys, kinds of values, what is missing and what is there twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from receptor_runner.receptor_config.findings import Finding, error, warning
from receptor_runner.receptor_config.parse import Block, Document, Entry, Items, Scalar, Table
from receptor_runner.receptor_config.schema import Key, Need, Type
from receptor_runner.receptor_config.values import closest, is_count, is_number

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHANGED = re.compile(
    r"[+-]?(0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|0[\d_]+|\d[\d_]*_[\d_]*"
    r"|(\d+\.\d*|\.\d+)([eE][+-]?\d+)?|\d+[eE][+-]?\d+)"
)
_NESTED = {Type.MAP: Table, Type.RULES: Items}
_FLAGS_V1 = {"true", "yes", "on", "y", "false", "no", "off", "n"}
_FLAGS_V1_QUOTED = {"1", "t", "true", "y", "yes", "0", "f", "false", "n", "no"}
_FLAGS_V2 = {"1", "t", "true", "0", "f", "false"}


def check_shape(document: Document) -> Iterator[Finding]:
    """Yield findings about keys and values, block by block."""
    for block in document.blocks:
        yield from _unknown_keys(block)
        yield from _repeated_keys(block)
        yield from _missing_keys(document, block)
        for entry in block.entries:
            key = block.kind.key(entry.name)
            if key is not None:
                yield from _check_value(document, block, key, entry)
    yield from _repeated_blocks(document)
    yield from _repeated_names(document)


def _unknown_keys(block: Block) -> Iterator[Finding]:
    known = [key.name for key in block.kind.keys]
    for entry in block.entries:
        if entry.name not in known:
            yield error(
                "unknown-key",
                entry.line,
                f"{block.kind.name} has no key {entry.written!r}",
                _key_hint(block, entry, known),
            )


def _key_hint(block: Block, entry: Entry, known: list[str]) -> str | None:
    if block.kind.name.startswith("udp-") and entry.name == "tls":
        return "UDP links cannot carry TLS; use tcp or ws"
    guess = closest(entry.name, known)
    if guess:
        return f"did you mean {guess}?"
    return f"its keys are {', '.join(known)}" if known else "it has no keys"


def _repeated_keys(block: Block) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for entry in block.entries:
        if entry.name in seen:
            yield error(
                "duplicate-key",
                entry.line,
                f"{entry.written} is set twice, first on line {seen[entry.name]}",
                "only one of them can count",
            )
        seen.setdefault(entry.name, entry.line)


def _missing_keys(document: Document, block: Block) -> Iterator[Finding]:
    for key in block.kind.keys:
        need = _need(block, key)
        if need is Need.OPTIONAL or block.get(key.name) is not None:
            continue
        if document.version == 1 or need is Need.REQUIRED:
            yield error("missing-key", block.line, f"{block.kind.name} needs the key {key.name}")
        elif need is Need.REQUIRED_TO_BE_FOUND:
            message = f"without {key.name} the daemon makes one up, so nobody can know it"
            yield warning("missing-key", block.line, message)


def _need(block: Block, key: Key) -> Need:
    return Need.REQUIRED if key.required_by and block.text(key.required_by) else key.need


def _check_value(document: Document, block: Block, key: Key, entry: Entry) -> Iterator[Finding]:
    value = entry.value
    need = _need(block, key)
    if isinstance(value, Scalar) and (value.is_null or (need is Need.REQUIRED and not value.text)):
        yield from _empty(document, block, key, entry)
    elif key.type is Type.NAMES:
        yield from _check_names(entry)
    elif key.type in _NESTED:
        if not isinstance(value, _NESTED[key.type]) and not _is_json(value):
            yield _wrong(entry, f"{entry.written} is a {key.type.value}")
    elif not isinstance(value, Scalar):
        yield _wrong(entry, f"{entry.written} is a single value ({key.type.value}), not a list or a map")
    else:
        yield from _check_scalar(document, key, entry, value)


def _is_json(value: object) -> bool:
    return isinstance(value, Scalar) and value.quoted and value.text[:1] in {"[", "{"}


def _empty(document: Document, block: Block, key: Key, entry: Entry) -> Iterator[Finding]:
    if key.type is Type.NAMES or key.type in _NESTED or _is_told(document, block, key):
        return
    if _need(block, key) is Need.REQUIRED:
        message = f"{entry.written} has no value, and {block.kind.name} is of no use without one"
        yield error("empty-value", entry.line, message)
    elif document.version == 1:
        yield error("empty-value", entry.line, f"{entry.written} has no value; the daemon refuses that")
    else:
        yield warning("empty-value", entry.line, f"{entry.written} has no value, so the default counts")


def _is_told(document: Document, block: Block, key: Key) -> bool:
    """Whether v2's default for a key is no harmless one, so that another rule says what becomes of it."""
    told = {("work-signing", "tokenexpiration"), ("ws-listener", "path")}
    return document.version == 2 and (block.kind.name, key.name) in told


def _check_scalar(document: Document, key: Key, entry: Entry, value: Scalar) -> Iterator[Finding]:
    if key.type is Type.FLAG and not _is_flag(document, value):
        hint = "write true or false" if document.version == 1 else "v2 takes only true or false"
        yield _wrong(entry, f"{entry.written}: {value.text} is not true or false", hint)
    elif key.type is Type.COUNT and not is_count(value.text):
        yield _wrong(entry, f"{entry.written}: {value.text} is not a whole number")
    elif key.type is Type.NUMBER and not is_number(value.text):
        yield _wrong(entry, f"{entry.written}: {value.text} is not a number")
    elif key.type is Type.TEXT and not value.quoted and _CHANGED.fullmatch(value.text):
        yield warning(
            "number-as-text",
            entry.line,
            f"{entry.written}: {value.text} is read as a number and written back differently",
            f'quote it: "{value.text}"',
        )


def _is_flag(document: Document, value: Scalar) -> bool:
    if document.version == 2:
        return value.text.lower() in _FLAGS_V2
    return value.text.lower() in (_FLAGS_V1_QUOTED if value.quoted else _FLAGS_V1)


def _check_names(entry: Entry) -> Iterator[Finding]:
    if isinstance(entry.value, Scalar):
        return
    values = entry.value.values if isinstance(entry.value, Items) else ()
    if isinstance(entry.value, Table) or not all(isinstance(value, Scalar) for value in values):
        yield _wrong(entry, f"{entry.written} is a list of text")
    for value in values:
        if isinstance(value, Scalar) and not value.quoted and is_number(value.text):
            yield warning(
                "number-as-text",
                value.line,
                f"{entry.written}: {value.text} is read as a number, not as text",
                f'quote it: "{value.text}"',
            )


def _wrong(entry: Entry, message: str, hint: str | None = None) -> Finding:
    return error("bad-value", entry.line, message, hint)


def _repeated_blocks(document: Document) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for block in document.blocks:
        name = block.kind.name
        if block.kind.once and name in seen:
            yield error(
                f"duplicate-{name}" if name == "node" else "duplicate-block",
                block.line,
                f"only one {name} is allowed, the first is on line {seen[name]}",
            )
        seen.setdefault(name, block.line)


def _repeated_names(document: Document) -> Iterator[Finding]:
    yield from _repeated(document, ("work-command", "work-kubernetes", "work-python"), "worktype")
    yield from _repeated(document, ("tls-server",), "name")
    yield from _repeated(document, ("tls-client",), "name")
    yield from _repeated(document, ("control-service", "tcp-client", "command-service"), "service")
    yield from _repeated(document, ("control-service", "unix-socket-server"), "filename")


def _repeated(document: Document, kinds: tuple[str, ...], key: str) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for block in document.all(*kinds):
        name = block.text(key) or _default(block, key)
        if name and name in seen:
            message = f"{key} {name} is already used on line {seen[name]}"
            yield error("duplicate-name", block.line_of(key), message)
        if name:
            seen.setdefault(name, block.line_of(key))


def _default(block: Block, key: str) -> str:
    return "control" if (block.kind.name, key) == ("control-service", "service") else ""
