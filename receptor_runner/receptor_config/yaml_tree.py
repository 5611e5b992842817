"""The YAML of a receptor.yml as a tree that remembers lines, with aliases and merge keys resolved as the daemon does.

The daemon reads the v1 list with go-yaml v2 and the v2 map with go-yaml v3. Two habits differ, and both differ from
PyYAML, which is why the tree is built here from PyYAML's events:

- `<<`: in v1 a merge key takes effect where it stands, so it overrides the keys above it and is overridden by those
  below. In v2 the map's own keys always win.
- A key that is set twice: in v1 the last one wins, in v2 the daemon reads nothing of the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from receptor_runner.receptor_config.document import Data, Entry, Items, Scalar, Table
from receptor_runner.receptor_config.findings import Finding, error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

# libyaml is ten times faster, and it limits how deep a file may nest.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# A key with its value, and whether it is a merge key: a quoted "<<" is a key like any other.
_Part: TypeAlias = tuple[bool, Entry]
_MERGE_TAG = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The first YAML document of a file.

    Args:
        root: None if there is nothing in the file, or it is not YAML.
        version: 2 if the root is a map, else 1.
        findings: what is wrong with the YAML.
    """

    root: Data | None
    version: int
    findings: tuple[Finding, ...]


class _InvalidYaml(Exception):
    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def read_tree(text: str, *, reader: str = "the daemon") -> Tree:
    """Read the first YAML document of a text; whatever is wrong with it becomes a finding.

    Args:
        text: the YAML.
        reader: the program that the file is for, as findings name it.
    """
    builder = _Builder(text, reader)
    try:
        root = builder.read()
    except _InvalidYaml as fault:
        return Tree(root=None, version=1, findings=(fault.finding,))
    except yaml.YAMLError as fault:
        return Tree(root=None, version=1, findings=(_syntax(fault),))
    except (RecursionError, UnicodeEncodeError) as fault:
        return Tree(root=None, version=1, findings=(error("syntax", 1, f"invalid YAML: {fault}"),))
    return Tree(root=root, version=builder.version, findings=tuple(builder.findings))


def _syntax(fault: yaml.YAMLError) -> Finding:
    mark = getattr(fault, "problem_mark", None)
    problem = getattr(fault, "problem", None) or str(fault)
    line = mark.line + 1 if mark else 1
    return error("syntax", line, f"invalid YAML: {problem}", "check the indentation around this line")


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


class _Builder:
    """Builds the tree of one text while it goes through the parser's events."""

    def __init__(self, text: str, reader: str) -> None:
        self.findings: list[Finding] = []
        self.version = 1
        self._reader = reader
        self._text = text
        self._events: Iterator[Any] = iter(())
        # None marks an anchor whose node is still being read: an alias to it would make an endless tree. A finished
        # node is shared by its aliases, never copied, so aliases of aliases cannot blow up the tree.
        self._anchors: dict[str, Data | None] = {}

    def read(self) -> Data | None:
        """Return the root of the first document."""
        self._events = iter(yaml.parse(self._text, Loader=_LOADER))
        next(self._events)  # the start of the stream
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        first = next(self._events)
        self.version = 2 if isinstance(first, yaml.MappingStartEvent) else 1
        root = self._node(first)
        next(self._events)  # the end of the document
        following = next(self._events)
        if isinstance(following, yaml.DocumentStartEvent):
            message = f"{self._reader} ignores everything after the first YAML document"
            self.findings.append(warning("second-document", _line(following), message))
        return root

    def _node(self, event: Any) -> Data:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.anchor:
            self._anchors[event.anchor] = None
        data = self._value(event)
        if event.anchor:
            self._anchors[event.anchor] = data
        return data

    def _alias(self, event: Any) -> Data:
        if event.anchor not in self._anchors:
            raise _InvalidYaml(error("syntax", _line(event), f"no anchor &{event.anchor} above this alias"))
        data = self._anchors[event.anchor]
        if data is None:
            raise _InvalidYaml(error("syntax", _line(event), f"the anchor &{event.anchor} contains itself"))
        return data

    def _value(self, event: Any) -> Data:
        if isinstance(event, yaml.ScalarEvent):
            quoted = not event.implicit[0] or event.style in {"'", '"', "|", ">"}
            return Scalar(text=event.value, quoted=quoted, line=_line(event))
        if isinstance(event, yaml.SequenceStartEvent):
            return Items(values=tuple(self._items()), line=_line(event))
        return Table(entries=tuple(self._entries()), line=_line(event))

    def _items(self) -> Iterator[Data]:
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._node(event)

    def _entries(self) -> tuple[Entry, ...]:
        parts = list(self._parts())
        self._report_repeated(parts)
        return self._merge_v2(parts) if self.version == 2 else self._merge_v1(parts)

    def _parts(self) -> Iterator[_Part]:
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event)
            value = self._node(next(self._events))
            if isinstance(key, Scalar):
                entry = Entry(name=key.text.lower(), written=key.text, value=value, line=_line(event))
                yield _is_merge(event), entry
            else:
                message = "a key must be a single word, not a list or a map"
                self.findings.append(error("layout", _line(event), message))

    def _report_repeated(self, parts: list[_Part]) -> None:
        seen: dict[str, int] = {}
        for is_merge, entry in parts:
            if is_merge and self.version == 1:
                continue
            name = entry.written
            if name in seen:
                then = "uses the last one" if self.version == 1 else "reads nothing of this file"
                message = f"{name} is set twice, first on line {seen[name]}; {self._reader} {then}"
                self.findings.append(error("duplicate-key", entry.line, message, "remove one of them"))
            seen.setdefault(name, entry.line)

    def _merge_v1(self, parts: list[_Part]) -> tuple[Entry, ...]:
        entries: dict[str, Entry] = {}
        own: set[str] = set()
        for is_merge, part in parts:
            if not is_merge:
                entries[part.written] = part
                own.add(part.written)
                continue
            merged = self._merged(part)
            for name in sorted(own & merged.keys()):
                self._report_override(name, part, entries[name])
            entries.update(merged)
        return tuple(entries.values())

    def _report_override(self, name: str, merge: Entry, own: Entry) -> None:
        self.findings.append(
            warning(
                "merge-overrides",
                merge.line,
                f"this merge key overrides {name}, which is set above it on line {own.line}",
                "write << first: in v1 a merge key overrides the keys above it",
            )
        )

    def _merge_v2(self, parts: list[_Part]) -> tuple[Entry, ...]:
        entries = {part.written: part for is_merge, part in parts if not is_merge}
        for is_merge, part in parts:
            if is_merge:
                entries = self._merged(part) | entries
        return tuple(entries.values())

    def _merged(self, merge: Entry) -> dict[str, Entry]:
        """Return what a merge key brings in; of several maps the earlier one wins, in both forms."""
        entries: dict[str, Entry] = {}
        for table in merge.value.values if isinstance(merge.value, Items) else (merge.value,):
            if isinstance(table, Table):
                entries = {entry.written: entry for entry in table.entries} | entries
            else:
                message = f"<< needs a map or a list of maps; {self._reader} refuses this file"
                self.findings.append(error("layout", merge.line, message))
        return entries


def _is_merge(event: Any) -> bool:
    if not isinstance(event, yaml.ScalarEvent) or event.value != "<<":
        return False
    return event.implicit[0] or event.tag == _MERGE_TAG
