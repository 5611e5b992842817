"""Writes values as YAML that every reader of a receptor.yml reads the same way."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from receptor_runner.receptor_config.document import Block, Data, Document, Entry, Items, Scalar, Table
from receptor_runner.receptor_config.values import is_boolean_anywhere

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
_WORDS = {"null", "nan", "inf"}


def scalar(value: str | bool | int) -> str:
    """Return the value as a YAML scalar; text is quoted unless every YAML version reads it as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS and not is_boolean_anywhere(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def v2(document: Document) -> str:
    """Return the config as a v2 map: list blocks under their plural names, in the order they first appear."""
    kinds: dict[str, list[Block]] = {}
    for block in document.blocks:
        kinds.setdefault(block.kind.v2_name or block.kind.name, []).append(block)
    parts = ["---\nversion: 2\n", *(_group(name, blocks) for name, blocks in kinds.items())]
    return "\n".join(parts)


def _group(name: str, blocks: list[Block]) -> str:
    if blocks[0].kind.name == "local-only":
        return f"{name}:\n  local: true\n"
    if blocks[0].kind.once:
        return f"{name}:\n" + "".join(_lines(blocks[0].entries, 2))
    items = ["".join(_lines(block.entries, 4)) for block in blocks]
    return f"{name}:\n" + "".join(f"  - {item[4:]}" for item in items)


def _lines(entries: tuple[Entry, ...], indent: int) -> Iterator[str]:
    pad = " " * indent
    for entry in entries:
        if isinstance(entry.value, Scalar):
            yield f"{pad}{entry.name}: {_written(entry.value)}\n"
        elif isinstance(entry.value, Items):
            yield f"{pad}{entry.name}:\n"
            for value in entry.value.values:
                yield from _item(value, indent + 2)
        else:
            yield f"{pad}{entry.name}:\n"
            yield from _lines(entry.value.entries, indent + 2)


def _item(value: Data, indent: int) -> Iterator[str]:
    pad = " " * indent
    if isinstance(value, Scalar):
        yield f"{pad}- {_written(value)}\n"
    elif isinstance(value, Table):
        yield f"{pad}- " + "".join(_lines(value.entries, indent + 2))[indent + 2 :]


def _written(value: Scalar) -> str:
    return scalar(value.text) if value.quoted else value.text
