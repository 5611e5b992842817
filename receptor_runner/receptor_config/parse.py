"""Reads a receptor.yml, v1 list or v2 map, into blocks that remember their lines.

The v1 form is a list of one-key maps whose names are matched case by case; the v2 form is a map whose list keys
are plural and whose names are matched whatever their case. Field names are matched whatever their case in both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import yaml

from receptor_runner.receptor_config.findings import Finding, error, warning
from receptor_runner.receptor_config.schema import V1_KINDS, V2_KINDS, BlockKind
from receptor_runner.receptor_config.values import BOOLEANS, closest

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBER = re.compile(
    r"[+-]?(0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[\d_]*\.?[\d_]+([eE][+-]?\d+)?|\d+\.)"
)
_NULLS = {"", "~", "null", "Null", "NULL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A single value as it is written; what it means depends on its key."""

    text: str
    quoted: bool
    line: int

    @property
    def is_null(self) -> bool:
        """Whether nothing is written here."""
        return not self.quoted and self.text in _NULLS

    @property
    def is_text(self) -> bool:
        """Whether YAML reads text here, not a number, a boolean or nothing."""
        return self.quoted or not (
            self.text in _NULLS or self.text.lower() in BOOLEANS or _NUMBER.fullmatch(self.text)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A YAML list."""

    values: tuple[Data, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One `name: value`; the name is in lower case, `written` as in the file."""

    name: str
    written: str
    value: Data
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A YAML map."""

    entries: tuple[Entry, ...]
    line: int


Data: TypeAlias = Scalar | Items | Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block of a known kind.

    Args:
        kind: what the daemon knows of such blocks.
        entries: its keys, a bare value already under the key it stands for.
        line: where it begins, counted from 1.
    """

    kind: BlockKind
    entries: tuple[Entry, ...]
    line: int

    def get(self, name: str) -> Entry | None:
        """Return the entry of that name; the last one, as the daemon does."""
        found = [entry for entry in self.entries if entry.name == name]
        return found[-1] if found else None

    def scalar(self, name: str) -> Scalar | None:
        """Return the single value under that name, if one is written."""
        entry = self.get(name)
        value = entry.value if entry else None
        return value if isinstance(value, Scalar) and not value.is_null else None

    def text(self, name: str) -> str:
        """Return the text under that name, "" when there is none."""
        scalar = self.scalar(name)
        return scalar.text if scalar else ""

    def flag(self, name: str) -> bool:
        """Return whether that name is set to a true value."""
        return BOOLEANS.get(self.text(name).lower(), False)

    def line_of(self, name: str) -> int:
        """Return the line of that name, or the block's."""
        entry = self.get(name)
        return entry.line if entry else self.line


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
        """The node's id, "" when the host's name will be used."""
        node = self.first("node")
        return node.text("id") if node else ""


def parse(text: str, *, file: str = "") -> Document:
    """Read the text of a receptor.yml.

    Args:
        text: the YAML.
        file: a name for findings.
    """
    try:
        pages = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
        document = _read_root(pages[0] if pages else None, file)
    except yaml.YAMLError as fault:
        return Document(file=file, version=1, findings=(_syntax(fault),))
    except RecursionError:
        endless = error("syntax", 1, "this YAML refers to itself, or nests without end")
        return Document(file=file, version=1, findings=(endless,))
    if len(pages) < 2:
        return document
    more = warning("second-document", _line(pages[1]), "the daemon reads only the first YAML document")
    return Document(
        file=file,
        version=document.version,
        blocks=document.blocks,
        findings=(*document.findings, more),
    )


def _syntax(fault: yaml.YAMLError) -> Finding:
    mark = getattr(fault, "problem_mark", None)
    problem = getattr(fault, "problem", None) or str(fault)
    line = mark.line + 1 if mark else 1
    return error("syntax", line, f"this is not YAML: {problem}", "look at the indentation around this line")


def _read_root(root: yaml.Node | None, file: str) -> Document:
    reader = _Reader()
    version = 1
    if root is None:
        return Document(file=file, version=1, findings=(error("empty", 1, "there is nothing in this file"),))
    if isinstance(root, yaml.SequenceNode):
        for node in root.value:
            reader.read_item(node)
    elif isinstance(root, yaml.MappingNode):
        version = 2
        for entry in _table(root).entries:
            reader.read_v2(entry)
    else:
        reader.findings.append(
            error("layout", _line(root), "a receptor.yml is a list of blocks (v1) or a map of blocks (v2)")
        )
    return Document(file=file, version=version, blocks=tuple(reader.blocks), findings=tuple(reader.findings))


class _Reader:
    """Collects blocks and findings while it goes through one file."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.findings: list[Finding] = []
        self.names: set[str] = set()

    def read_item(self, node: yaml.Node) -> None:
        """Read one item of the v1 list."""
        data = _data(node)
        if isinstance(data, Scalar) and not data.is_null:
            entry = Entry(name=data.text, written=data.text, value=_nothing(data.line), line=data.line)
        elif isinstance(data, Table) and len(data.entries) == 1:
            entry = data.entries[0]
        else:
            self.findings.append(_bad_item(data))
            return
        kind = V1_KINDS.get(entry.written)
        if kind is None:
            self.findings.append(_unknown_block(entry, V1_KINDS, other=V2_KINDS, other_name="v2"))
        else:
            self._add(kind, entry.value, entry.written, entry.line, bare=kind.bare)

    def read_v2(self, entry: Entry) -> None:
        """Read one key of the v2 map."""
        if entry.written in self.names:
            message = f"{entry.written} stands here twice; the daemon then reads nothing of this file"
            self.findings.append(error("duplicate-key", entry.line, message, "put both below one of them"))
        self.names.add(entry.written)
        if entry.name == "version":
            return
        kind = V2_KINDS.get(entry.name)
        if kind is None:
            self.findings.append(_unknown_block(entry, V2_KINDS, other=V1_KINDS, other_name="v1"))
        elif isinstance(entry.value, Items) and not kind.once:
            for value in entry.value.values:
                self._add(kind, value, entry.written, value.line, bare=None)
        else:
            self._add(kind, entry.value, entry.written, entry.line, bare=None)

    def _add(self, kind: BlockKind, value: Data, written: str, line: int, *, bare: str | None) -> None:
        if isinstance(value, Table):
            self.blocks.append(Block(kind=kind, entries=value.entries, line=line))
        elif isinstance(value, Scalar) and value.is_null:
            self.blocks.append(Block(kind=kind, entries=(), line=line))
        elif isinstance(value, Scalar) and bare and value.is_text:
            held = Entry(name=bare, written=bare, value=value, line=value.line)
            self.blocks.append(Block(kind=kind, entries=(held,), line=line))
        else:
            hint = f"write `{bare}: ...` below it" if bare else None
            message = f"{written} takes keys below it, not this value"
            self.findings.append(error("layout", value.line, message, hint))


def _bad_item(data: Data) -> Finding:
    if isinstance(data, Table) and data.entries:
        names = ", ".join(entry.written for entry in data.entries[:3])
        hint = f"indent the keys below `- {data.entries[0].written}:` by two more spaces"
        return error("layout", data.line, f"this item has several names: {names}", hint)
    return error("layout", data.line, "an item of the list is `- block:` with its keys below")


def _unknown_block(
    entry: Entry, known: dict[str, BlockKind], *, other: dict[str, BlockKind], other_name: str
) -> Finding:
    message = f"there is no block {entry.written!r}"
    if entry.written in other:
        counterpart = other[entry.written]
        here = counterpart.name if other_name == "v2" else counterpart.v2_name
        hint = f"that is its name in {other_name}; here it is {here}" if here else f"only {other_name} has it"
        return error("unknown-block", entry.line, message, hint)
    guess = closest(entry.written, known)
    return error("unknown-block", entry.line, message, f"did you mean {guess}?" if guess else None)


def _data(node: yaml.Node) -> Data:
    if isinstance(node, yaml.ScalarNode):
        return Scalar(text=str(node.value), quoted=node.style is not None, line=_line(node))
    if isinstance(node, yaml.SequenceNode):
        return Items(values=tuple(_data(child) for child in node.value), line=_line(node))
    return _table(node)


def _table(node: yaml.Node) -> Table:
    return Table(entries=tuple(_entries(node)), line=_line(node))


def _entries(node: yaml.Node) -> Iterator[Entry]:
    for key, value in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            yield from _merged(value)
        else:
            written = str(key.value)
            yield Entry(name=written.lower(), written=written, value=_data(value), line=_line(key))


def _merged(node: yaml.Node) -> Iterator[Entry]:
    parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
    for part in parts:
        yield from _entries(part)


def _nothing(line: int) -> Scalar:
    return Scalar(text="", quoted=False, line=line)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
