"""One map of a mesh.yml: its values by type, each mistake a finding with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from receptor_runner.receptor_config.document import Entry, Items, Scalar, Table
from receptor_runner.receptor_config.findings import Finding, error
from receptor_runner.receptor_config.values import closest, read_setting_boolean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from receptor_runner.receptor_config.document import Data


class Entries:
    """The entries of one map.

    Args:
        table: the map.
        owner: what the map describes, as findings name it, such as "node `hop`".
        findings: where findings go.
    """

    def __init__(self, table: Table, owner: str, findings: list[Finding]) -> None:
        self._entries = {entry.written: entry for entry in table.entries}
        self.owner = owner
        self.line = table.line
        self.findings = findings

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def lines(self) -> dict[str, int]:
        """Return the line of each key."""
        return {entry.written: entry.line for entry in self}

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Report each key that is not known."""
        names = tuple(known)
        for entry in self:
            if entry.written not in names:
                guess = closest(entry.written, names)
                hint = f"did you mean {guess}?" if guess else f"its keys are {', '.join(names)}"
                self.report("unknown-key", entry.line, f"{self.owner} has no key `{entry.written}`", hint)

    def report(self, code: str, line: int, message: str, hint: str | None = None) -> None:
        """Report an error."""
        self.findings.append(error(code, line, message, hint))

    def get(self, name: str) -> Entry | None:
        """Return an entry that holds a value; None if it is not set or empty."""
        entry = self._entries.get(name)
        if entry is None or (isinstance(entry.value, Scalar) and entry.value.is_null):
            return None
        return entry

    def has(self, name: str) -> bool:
        """Return whether a key is set, even to nothing."""
        return name in self._entries

    def text(self, name: str) -> str | None:
        """Return a text, None if it is not set or no text."""
        entry = self.get(name)
        return self.text_of(name, entry.value) if entry else None

    def text_of(self, name: str, value: Data) -> str | None:
        """Return a value as text, None if it is a list, a map or empty."""
        if not isinstance(value, Scalar):
            self.report("bad-value", value.line, f"`{name}` of {self.owner} must be a single value")
            return None
        if value.is_null or not value.text.strip():
            self.report("empty-value", value.line, f"`{name}` of {self.owner} is empty")
            return None
        if not value.text.isprintable():
            self.report("bad-value", value.line, f"`{name}` of {self.owner} has unprintable characters")
            return None
        return value.text

    def flag(self, name: str, *, default: bool) -> bool:
        """Return true or false."""
        entry = self.get(name)
        text = self.text_of(name, entry.value) if entry else None
        if entry is None or text is None:
            return default
        value = read_setting_boolean(text)
        if value is None:
            self.report(
                "bad-value", entry.line, f"`{name}` of {self.owner} must be true or false, not {text}"
            )
        return default if value is None else value

    def port(self, name: str) -> int | None:
        """Return a TCP port, None if it is not set or none."""
        entry = self.get(name)
        text = self.text_of(name, entry.value) if entry else None
        if entry is None or text is None:
            return None
        # isdecimal() alone accepts the digits of every script, and int() refuses texts of thousands of digits.
        if text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65535:
            return int(text)
        self.report("bad-port", entry.line, f"port {text} of {self.owner} is not between 1 and 65535")
        return None

    def names(self, name: str) -> dict[str, int]:
        """Return a list of names and the line of each; a single name is a list of one."""
        entry = self.get(name)
        if entry is None:
            return {}
        if isinstance(entry.value, Table):
            self.report("bad-value", entry.line, f"`{name}` of {self.owner} must be a list of names")
            return {}
        found: dict[str, int] = {}
        for value in entry.value.values if isinstance(entry.value, Items) else (entry.value,):
            text = self.text_of(name, value)
            if text in found:
                self.report("duplicate-value", value.line, f"`{name}` of {self.owner} lists {text} twice")
            elif text:
                found[text] = value.line
        return found

    def table(self, name: str, owner: str) -> Entries | None:
        """Return the map below a key, None if it is not set or no map."""
        entry = self.get(name)
        if entry is None:
            return None
        if not isinstance(entry.value, Table):
            self.report("bad-value", entry.line, f"`{name}` of {self.owner} must be a map")
            return None
        return Entries(entry.value, owner, self.findings)
