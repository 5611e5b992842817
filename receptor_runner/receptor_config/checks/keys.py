"""Checks of a block's keys: unknown ones, missing ones, and names that differ only in case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from receptor_runner.receptor_config.findings import Finding, error, warning
from receptor_runner.receptor_config.schema import Key, Need
from receptor_runner.receptor_config.values import closest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from receptor_runner.receptor_config.document import Block, Document, Entry


def check_keys(document: Document) -> Iterator[Finding]:
    """Yield findings about the keys of each block."""
    for block in document.blocks:
        yield from _unknown(block)
        yield from _same_but_for_case(block)
        yield from _missing(block)


def need_of(block: Block, key: Key) -> Need:
    """Return whether a block needs a key: one of a pair is required once the other is there."""
    return Need.REQUIRED if key.required_by and block.text(key.required_by) else key.need


def _unknown(block: Block) -> Iterator[Finding]:
    known = [key.name for key in block.kind.keys]
    for entry in block.entries:
        if entry.name not in known:
            message = f"{block.kind.name} has no key {entry.written!r}"
            yield error("unknown-key", entry.line, message, _hint(block, entry, known))


def _hint(block: Block, entry: Entry, known: list[str]) -> str | None:
    if block.kind.name.startswith("udp-") and entry.name == "tls":
        return "UDP links cannot carry TLS; use tcp or ws"
    guess = closest(entry.name, known)
    if guess:
        return f"did you mean {guess}?"
    return f"its keys are {', '.join(known)}" if known else "it has no keys"


def _same_but_for_case(block: Block) -> Iterator[Finding]:
    """Source: both forms read a block into a Go map, where `ID` and `id` are two keys, and walk it in random order."""
    seen: dict[str, Entry] = {}
    for entry in block.entries:
        first = seen.setdefault(entry.name, entry)
        if first is not entry:
            message = (
                f"{entry.written} and {first.written} on line {first.line} are the same key; "
                "the daemon uses one of them at random"
            )
            yield error("duplicate-key", entry.line, message, "remove one of them")


def _missing(block: Block) -> Iterator[Finding]:
    for key in block.kind.keys:
        need = need_of(block, key)
        if need is Need.OPTIONAL or block.get(key.name) is not None:
            continue
        if block.version == 1 or need is Need.REQUIRED:
            yield error("missing-key", block.line, f"{block.kind.name} requires the key {key.name}")
        elif need is Need.REQUIRED_TO_BE_FOUND:
            message = f"without {key.name} the daemon picks a random one, so no peer can know it"
            yield warning("missing-key", block.line, message)
