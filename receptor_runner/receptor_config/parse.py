"""Reads a receptor.yml, v1 list or v2 map, into blocks: the one reader, for the linter and for the embedded node.

The v1 form is a list of one-key maps, and the daemon matches block names case by case. The v2 form is a map whose list
keys are plural, matched in any case. Key names within a block are matched in any case in both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from receptor_runner.receptor_config.document import Block, Data, Document, Entry, Items, Scalar, Table
from receptor_runner.receptor_config.findings import Finding, error
from receptor_runner.receptor_config.schema import V1_KINDS, V2_KINDS, BlockKind
from receptor_runner.receptor_config.values import closest
from receptor_runner.receptor_config.yaml_tree import Tree, read_tree

if TYPE_CHECKING:
    from collections.abc import Mapping

# Receptor's documentation shows this name, but the daemon's v2 reader has no label for the field and so knows it under
# the bare name of the Go field.
_MISNAMED_IN_V2 = {"ip-routers": "iprouters"}


def parse(text: str, *, file: str = "") -> Document:
    """Read the text of a receptor.yml.

    Args:
        text: the YAML.
        file: a name for findings.

    Returns:
        The blocks that could be read; whatever could not is among its findings.
    """
    tree = read_tree(text)
    reader = _Reader(tree.version)
    if isinstance(tree.root, Items):
        for value in tree.root.values:
            reader.read_item(value)
    elif isinstance(tree.root, Table):
        for entry in tree.root.entries:
            reader.read_v2(entry)
    else:
        reader.findings += _no_blocks(tree)
    return Document(
        file=file,
        version=tree.version,
        blocks=tuple(reader.blocks),
        findings=(*tree.findings, *reader.findings),
    )


def _no_blocks(tree: Tree) -> list[Finding]:
    if tree.findings:  # not even YAML
        return []
    if tree.root is None:
        return [error("empty", 1, "this file is empty")]
    message = "a receptor.yml is a list of blocks (v1) or a map of blocks (v2)"
    return [error("layout", tree.root.line, message)]


class _Reader:
    """Collects blocks and findings while it goes through one file."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.blocks: list[Block] = []
        self.findings: list[Finding] = []
        self.v2_names: dict[str, Entry] = {}

    def read_item(self, data: Data) -> None:
        """Read one item of the v1 list."""
        if isinstance(data, Scalar) and not data.is_null:
            nothing = Scalar(text="", quoted=False, line=data.line)
            entry = Entry(name=data.text, written=data.text, value=nothing, line=data.line)
        elif isinstance(data, Table) and len(data.entries) == 1:
            entry = data.entries[0]
        else:
            self.findings.append(_bad_item(data))
            return
        kind = V1_KINDS.get(entry.written)
        if kind is None:
            self.findings.append(_unknown_block(entry, V1_KINDS, V2_KINDS, "v2"))
        else:
            self._add(kind, entry.value, entry.written, entry.line, bare=kind.bare)

    def read_v2(self, entry: Entry) -> None:
        """Read one key of the v2 map."""
        self._report_case(entry)
        if entry.name == "version":
            return
        kind = V2_KINDS.get(entry.name)
        if kind is None:
            self.findings.append(_unknown_block(entry, V2_KINDS, V1_KINDS, "v1"))
        elif isinstance(entry.value, Items) and not kind.once:
            for value in entry.value.values:
                self._add(kind, value, entry.written, value.line, bare=None)
        else:
            self._add(kind, entry.value, entry.written, entry.line, bare=None)

    def _report_case(self, entry: Entry) -> None:
        first = self.v2_names.setdefault(entry.name, entry)
        if first is not entry:
            message = (
                f"{entry.written} and {first.written} on line {first.line} are the same name; "
                "the daemon uses one of them at random"
            )
            self.findings.append(error("duplicate-key", entry.line, message, "remove one of them"))

    def _add(self, kind: BlockKind, value: Data, written: str, line: int, *, bare: str | None) -> None:
        if isinstance(value, Table):
            entries = value.entries
        elif isinstance(value, Scalar) and value.is_null:
            entries = ()
        elif isinstance(value, Scalar) and bare and value.is_text:
            entries = (Entry(name=bare, written=bare, value=value, line=value.line),)
        else:
            hint = f"write `{bare}: ...` below it" if bare else None
            message = f"{written} takes keys below it, not this value"
            self.findings.append(error("layout", value.line, message, hint))
            return
        self.blocks.append(Block(kind=kind, version=self.version, entries=entries, line=line))


def _bad_item(data: Data) -> Finding:
    if isinstance(data, Table) and data.entries:
        names = ", ".join(entry.written for entry in data.entries[:3])
        hint = f"indent the keys below `- {data.entries[0].written}:` by two more spaces"
        return error("layout", data.line, f"this list item has several block names: {names}", hint)
    return error("layout", data.line, "each list item is `- BLOCK:` with its keys below")


def _unknown_block(
    entry: Entry, known: Mapping[str, BlockKind], other: Mapping[str, BlockKind], other_form: str
) -> Finding:
    message = f"unknown block {entry.written!r}"
    if other_form == "v1" and entry.name in _MISNAMED_IN_V2:
        hint = (
            f"write {_MISNAMED_IN_V2[entry.name]}: the daemon ignores the name that its documentation shows"
        )
    elif entry.written in other:
        counterpart = other[entry.written]
        name = counterpart.name if other_form == "v2" else counterpart.v2_name
        hint = f"that is the {other_form} name; use {name}" if name else f"only {other_form} has it"
    else:
        guess = closest(entry.written, known)
        return error("unknown-block", entry.line, message, f"did you mean {guess}?" if guess else None)
    return error("unknown-block", entry.line, message, hint)
