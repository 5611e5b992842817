"""Checks for blocks, and for names that blocks define, which may appear only once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from receptor_runner.receptor_config.findings import Finding, error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from receptor_runner.receptor_config.document import Block, Document

_UNIQUE_NAMES = (
    (("work-command", "work-kubernetes", "work-python"), "worktype"),
    (("tls-server",), "name"),
    (("tls-client",), "name"),
    (("control-service", "tcp-client", "command-service"), "service"),
    (("control-service", "unix-socket-server"), "filename"),
)


def check_duplicates(document: Document) -> Iterator[Finding]:
    """Yield findings about what is there twice."""
    yield from _repeated_blocks(document)
    for kinds, key in _UNIQUE_NAMES:
        yield from _repeated_names(document, kinds, key)


def _repeated_blocks(document: Document) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for block in document.blocks:
        name = block.kind.name
        if block.kind.once and name in seen:
            code = "duplicate-node" if name == "node" else "duplicate-block"
            yield error(code, block.line, f"only one {name} is allowed; the first is on line {seen[name]}")
        seen.setdefault(name, block.line)


def _repeated_names(document: Document, kinds: tuple[str, ...], key: str) -> Iterator[Finding]:
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
