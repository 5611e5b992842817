"""A receptor.yml after parsing: blocks of known kinds, whose values remember how and where they are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from receptor_runner.receptor_config.values import (
    NULLS,
    is_number,
    is_yaml_boolean,
    read_boolean,
    read_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from receptor_runner.receptor_config.findings import Finding
    from receptor_runner.receptor_config.schema import BlockKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A single value as written; what it means depends on its key."""

    text: str
    quoted: bool
    line: int

    @property
    def is_null(self) -> bool:
        """Whether YAML reads nothing here."""
        return not self.quoted and self.text in NULLS

    @property
    def is_text(self) -> bool:
        """Whether YAML reads text here, not a number, a boolean or nothing."""
        return self.quoted or not (self.is_null or is_yaml_boolean(self.text) or is_number(self.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A YAML list."""

    values: tuple[Data, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One `name: value`; `name` is in lower case, `written` is as in the file."""

    name: str
    written: str
    value: Data
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A YAML map: the entries that are in effect once merge keys and repeated keys are resolved."""

    entries: tuple[Entry, ...]
    line: int


Data: TypeAlias = Scalar | Items | Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block of a known kind.

    Args:
        kind: what the daemon knows about such blocks.
        version: the form of the file, 1 or 2; it decides how values are read.
        entries: its keys; a bare value is listed under the key it stands for.
        line: where it begins, counted from 1.
    """

    kind: BlockKind
    version: int
    entries: tuple[Entry, ...]
    line: int

    def get(self, name: str) -> Entry | None:
        """Return the entry of that name, if there is one."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def scalar(self, name: str) -> Scalar | None:
        """Return the single value under that name as written, None if there is none."""
        entry = self.get(name)
        value = entry.value if entry else None
        return value if isinstance(value, Scalar) and not value.is_null else None

    def text(self, name: str) -> str:
        """Return the text that the daemon reads under that name, "" if there is none."""
        scalar = self.scalar(name)
        if scalar is None or scalar.quoted:
            return scalar.text if scalar else ""
        return read_text(scalar.text, version=self.version)

    def flag(self, name: str) -> bool:
        """Return whether the daemon reads true under that name."""
        scalar = self.scalar(name)
        return bool(scalar and read_boolean(scalar.text, quoted=scalar.quoted, version=self.version))

    def line_of(self, name: str) -> int:
        """Return the line of that name, or the block's."""
        entry = self.get(name)
        return entry.line if entry else self.line

    def content(self) -> object:
        """Return what the block says as a value to compare: without lines, and without the order of its keys."""
        return (self.kind.name, _content(Table(entries=self.entries, line=0)))


def _content(data: Data) -> object:
    if isinstance(data, Scalar):
        return data.text
    if isinstance(data, Items):
        return tuple(_content(value) for value in data.values)
    return frozenset((entry.name, _content(entry.value)) for entry in data.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole file.

    Args:
        file: its name, for findings.
        version: 1 for the list form, 2 for the map form.
        blocks: what could be read, in order.
        findings: what could not.
    """

    file: str
    version: int
    blocks: tuple[Block, ...] = ()
    findings: tuple[Finding, ...] = ()

    def all(self, *names: str) -> Iterator[Block]:
        """Yield the blocks of those kinds."""
        return (block for block in self.blocks if block.kind.name in names)

    def first(self, name: str) -> Block | None:
        """Return the first block of that kind."""
        return next(self.all(name), None)

    @property
    def node_id(self) -> str:
        """The node's id, "" if the daemon will use the host's name."""
        node = self.first("node")
        return node.text("id") if node else ""
