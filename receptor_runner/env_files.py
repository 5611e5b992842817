"""Reads the small files of a private data directory that say something about its job, on either side of the stream."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from receptor_runner.errors import ConfigError, MissingInput, pasteable
from receptor_runner.system.files import closed_directory, read_regular

_SETTINGS = "env/settings"
_VAULT = "$ANSIBLE_VAULT;"
_QUOTES_NOTHING = re.compile(r"(expected ',' or '[]}]'|[^'\"]*)(, but (found|got) '<[a-z ]+>')?").fullmatch
"""What PyYAML says of a problem without a word of the file: all that it takes from there it puts in quotes, as it does
with the names of its tokens, such as `<block end>`."""


def _all(_name: str) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvFiles:
    """The files `env/*` and `args` of a private data directory.

    Only regular files are read: nothing else travels, and whoever opens a FIFO may wait for ever. They hold secrets, so
    errors say where in a file something is wrong and never what is written there.

    Attributes:
        root: the private data directory.
        shown: what errors call that directory; a worker's is temporary, and its files have the names that they have
            in the caller's.
        counts: whether a file counts, by its name; one that does not travel is none of the job's.
    """

    root: Path
    shown: Path = Path()
    counts: Callable[[str], bool] = _all

    def name_of(self, name: str) -> str:
        """Return what errors call a file."""
        return str(self.shown / name)

    def text(self, name: str) -> str | None:
        """Return the text of a file, or None if there is none.

        Raises:
            MissingInput: it exists and cannot be read.
        """
        if not self.counts(name):
            return None
        try:
            content = read_regular(self.root / name)
        except OSError as error:
            closed = closed_directory(self.root / name)
            inside = closed.is_relative_to(self.root)
            shown = self.name_of(str(closed.relative_to(self.root))) if inside else str(closed)
            hint = pasteable("ls", "-ld", shown)
            raise MissingInput(f"cannot read {shown}", cause=error.strerror, hint=hint) from error
        return None if content is None else content.decode("utf-8", "surrogateescape")

    def mapping(self, name: str, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the given entries merged with those of a YAML or JSON file; the file wins.

        Raises:
            ConfigError: the file is not a mapping.
            MissingInput: it exists and cannot be read.
        """
        text = self.text(name)
        found = self._parsed(text, name) if text and text.strip() else {}
        if not isinstance(found, dict):
            raise self._no_mapping(name)
        return {**(given or {}), **found}

    def settings(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the given settings merged with those of `env/settings`, as `mapping` does."""
        return self.mapping(_SETTINGS, given)

    def variables(self, name: str) -> Path | None:
        """Return the path of a file with variables for Ansible, or None if there is none.

        What can be told without Ansible is checked, since Ansible prints the lines that it cannot read. Tags such as
        `!vault`, and a file that is encrypted as a whole, are left to it.

        Raises:
            ConfigError: it is neither JSON nor YAML, or no mapping.
            MissingInput: it exists and cannot be read.
        """
        text = self.text(name)
        if text is None:
            return None
        if text.strip() and not text.startswith(_VAULT) and not _is_json_mapping(text):
            self._check_variables(text, name)
        return self.root / name

    def words(self, name: str) -> tuple[str, ...] | None:
        """Return the words of a file that holds a command line, or None if there is none.

        Raises:
            ConfigError: its quotes are not in pairs.
            MissingInput: it exists and cannot be read.
        """
        text = self.text(name)
        return None if text is None else split_words(text, self.name_of(name))

    def _parsed(self, text: str, name: str) -> Any:
        # JSON first: it is what programs write, and yaml takes 40 ms to import.
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            import yaml
        # PyYAML lets through what Python says of numbers, dates and the like that are none. All of these errors hold
        # text of the file: whoever prints where ours comes from must not print them.
        try:
            return yaml.safe_load(text) or {}
        except Exception as error:
            raise self._fault(name, error, text) from None

    def _check_variables(self, text: str, name: str) -> None:
        import yaml

        # Ansible's parser, if it is there: it accepts a little more
        loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
        try:
            root = loader.get_single_node()
        except Exception as error:
            raise self._fault(name, error, text) from None
        finally:
            loader.dispose()
        if root is not None and root.id != "mapping":
            raise self._no_mapping(name)

    def _no_mapping(self, name: str) -> ConfigError:
        what = f"{self.name_of(name)} is not a mapping"
        return ConfigError(what, hint="write `name: value` lines, or one JSON object")

    def _fault(self, name: str, error: Exception, text: str) -> ConfigError:
        shown = self.name_of(name)
        position = _position(error, text)
        place = f"line {position[0]}, column {position[1]}" if position else None
        hint = pasteable("sed", "-n", f"{position[0]}p", shown) if position else "put values in quotes"
        cause = ": ".join(filter(None, (place, _problem(error))))
        return ConfigError(f"{shown} is neither JSON nor YAML", cause=cause, hint=hint)


def split_words(text: str, source: str) -> tuple[str, ...]:
    """Return the words of a command line.

    Args:
        text: the command line.
        source: what errors call the place where it is written; they do not quote it.

    Raises:
        ConfigError: its quotes are not in pairs.
    """
    try:
        return tuple(shlex.split(text))
    except ValueError as error:  # one of two fixed texts
        hint = r"""close each quote, or write \' for one that means itself"""
        raise ConfigError(f"cannot split the command line in {source}", cause=str(error), hint=hint) from None


def _is_json_mapping(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _problem(error: Exception) -> str:
    """Return what is wrong, without a word of the file."""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None)
    if isinstance(problem, str) and _QUOTES_NOTHING(problem):
        return problem
    return "not valid there; a value with special characters needs quotes"


def _position(error: Exception, text: str) -> tuple[int, int] | None:
    """Return the line and the column, from 1, where something is wrong, if that is known."""
    mark = getattr(error, "problem_mark", None)
    begun = getattr(error, "context_mark", None)
    if mark and begun and mark.index >= len(text.rstrip()):
        mark = begun  # all that is said of the end of the file is that it came too early
    if mark:
        return mark.line + 1, mark.column + 1
    index = getattr(error, "position", None)  # of a character that YAML does not know
    if isinstance(index, int):
        return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)
    return None
