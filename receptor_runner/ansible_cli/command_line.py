"""A command line of ansible-playbook or ansible as a value, and the words of it that are passed on to the node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from receptor_runner.ansible_cli.options import Meaning, Option


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One occurrence of an option.

    Attributes:
        option: the option.
        value: its value; None for an option that takes none.
        count: how often an option that only counts was given.
    """

    option: Option
    value: str | None = None
    count: int = 1

    def words(self, value: str | None = None) -> list[str]:
        """Return the option as words of a command line.

        Args:
            value: what to write instead of its value.
        """
        if self.option.meaning is Meaning.COUNT:
            return ["-" + "v" * self.count]
        text = self.value if value is None else value
        if text is None:
            return [self.option.name]
        # an argument that begins with a dash is only taken as a value behind an equals sign
        return [f"{self.option.name}={text}"] if text.startswith("-") else [self.option.name, text]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """What was asked of ansible-playbook or ansible.

    Attributes:
        program: `ansible-playbook` or `ansible`.
        given: the options, those of one name in the order in which they were given.
        arguments: the playbooks, or the host pattern.
    """

    program: str
    given: tuple[Given, ...] = ()
    arguments: tuple[str, ...] = ()

    def of(self, *meanings: Meaning) -> Iterator[Given]:
        """Yield the options whose values have one of these meanings."""
        return (given for given in self.given if given.option.meaning in meanings)

    def without(self, *keys: str) -> CommandLine:
        """Return the command line without some options, by the keys of their table entries."""
        return replace(self, given=tuple(given for given in self.given if given.option.key not in keys))

    def has(self, key: str) -> bool:
        """Return whether an option was given, by the key of its table entry."""
        return any(given.option.key == key for given in self.given)

    def value(self, key: str) -> str | None:
        """Return the last value of an option, or None."""
        values = [given.value for given in self.given if given.option.key == key]
        return values[-1] if values else None

    def values(self, key: str) -> list[str]:
        """Return all values of an option, in order."""
        return [given.value for given in self.given if given.option.key == key and given.value is not None]


def read_given(table: tuple[Option, ...], values: Mapping[str, Any]) -> Iterator[Given]:
    """Yield the options that have a value.

    Of an option that is not repeatable the last value counts, as with argparse.

    Args:
        table: the options of one of Ansible's programs.
        values: what was given, by the key of the table entry: a count, a switch, or a sequence of texts.
    """
    for option in table:
        value = values.get(option.key)
        if not value:
            continue
        if option.meaning is Meaning.COUNT:
            yield Given(option=option, count=value)
        elif not option.meaning.takes_value:
            yield Given(option=option)
        else:
            for text in value if option.is_repeatable else value[-1:]:
                yield Given(option=option, value=text)
