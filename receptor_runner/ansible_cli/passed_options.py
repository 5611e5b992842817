"""The options of a command line as they read on the node."""

from __future__ import annotations

import os
import re
from pathlib import Path

from receptor_runner.ansible_cli.command_line import CommandLine, Given
from receptor_runner.ansible_cli.credentials import Credentials
from receptor_runner.ansible_cli.options import Meaning
from receptor_runner.ansible_cli.places import Places
from receptor_runner.errors import UsageError

_PLUGIN = re.compile(r"^plugin:\s*[\"']?([\w.]+)", re.MULTILINE)


class PassedOptions:
    """Translates options; files that they name, and passwords, travel.

    Args:
        places: translates paths.
        credentials: takes passwords and keys.
    """

    def __init__(self, places: Places, credentials: Credentials) -> None:
        self._places = places
        self._credentials = credentials

    def of(self, command: CommandLine) -> list[str]:
        """Return the options of a command line as words on the node.

        Raises:
            UsageError: an option makes no sense on a node.
            MissingInput: a named file does not exist or cannot be read.
        """
        return [word for given in command.given for word in self._words(given)]

    def _words(self, given: Given) -> list[str]:
        value = given.value or ""
        match given.option.meaning:
            case Meaning.INVENTORY:
                return given.words(self._inventory(value))
            case Meaning.VARIABLES if value.startswith("@"):
                path = self._places.existing(value[1:], "variables file")
                return given.words("@" + self._places.of_file(path))
            case Meaning.DIRECTORIES | Meaning.DIRECTORY:
                return given.words(self._directories(value))
            case Meaning.PASSWORD_FILE:
                path = self._places.existing(value, "password file")
                return given.words(self._credentials.password_file(path, given.option.key))
            case Meaning.VAULT_ID:
                return given.words(self._credentials.vault_identity(value))
            case Meaning.PRIVATE_KEY:
                self._credentials.use_key(self._places.existing(value, "private key"))
                return []
            case Meaning.TERMINAL | Meaning.LOCAL_OUTPUT:
                raise _senseless(given)
            case _:
                return given.words()

    def _inventory(self, value: str) -> str:
        if "," in value:
            return value
        path = self._places.existing(value, "inventory")
        if plugin := _plugin_of(path):
            self._credentials.terminal.note(
                f"inventory {path.name}: the plugin {plugin} runs on the node; it needs its own credentials there"
            )
        return self._places.of_inventory(path)

    def _directories(self, value: str) -> str:
        names = [name for name in value.split(os.pathsep) if name]
        return ":".join(self._places.of_file(self._places.existing(name, "directory")) for name in names)


def _plugin_of(path: Path) -> str | None:
    """Return the inventory plugin that a file configures, if it is such a file."""
    if path.suffix not in {".yml", ".yaml"} or not path.is_file():
        return None
    named = _PLUGIN.search(path.read_text(errors="replace"))
    return named[1] if named else None


def _senseless(given: Given) -> UsageError:
    if given.option.meaning is Meaning.TERMINAL:
        cause = "nobody sits at the terminal of a node"
    else:
        cause = "the files would stay on the node"
    return UsageError(f"{given.option.name} makes no sense on a node", cause=cause)
