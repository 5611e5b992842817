"""The syntax of a receptor.yml in list form: blocks, their keys, and what is wrong with them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from receptor_runner.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

_KEYS: dict[str, tuple[str, ...]] = {
    "node": (
        "id",
        "datadir",
        "maxidleconnectiontimeout",
        "receptorkubesupportreconnect",
        "receptorkubeclientsetqps",
        "receptorkubeclientsetburst",
        "receptorkubeclientsetratelimiter",
    ),
    "log-level": ("level",),
    "local-only": (),
    "control-service": ("service", "filename", "permissions", "tls", "tcplisten", "tcptls"),
    "work-command": ("worktype", "command", "params", "allowruntimeparams", "verifysignature"),
}
_BARE_VALUES = {"log-level": "level", "node": "id"}
_OF_A_MESH = (
    *("tcp-listener", "tcp-peer", "ws-listener", "ws-peer", "udp-listener", "udp-peer"),
    *("tls-server", "tls-client", "work-signing", "work-verification"),
    *("work-kubernetes", "work-python", "trace"),
    *("tcp-server", "tcp-client", "udp-server", "udp-client", "unix-socket-server", "unix-socket-client"),
    *("command-service", "ip-router"),
)
_RELOADABLE = ("local-only",)
_TRUE = {"true", "1", "yes", "on", "t", "y"}
_FALSE = {"false", "0", "no", "off", "f", "n", ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One entry of the list.

    Attributes:
        name: such as `work-command`.
        values: its keys, in lower case, with the values as YAML read them.
        place: file and position, for messages.
    """

    name: str
    values: tuple[tuple[str, object], ...]
    place: str

    @property
    def reloadable(self) -> bool:
        """Whether a reload may add, change or remove it."""
        return self.name in _RELOADABLE

    def text(self, key: str) -> str:
        """Return a value as text; empty when it is not given.

        Raises:
            ConfigError: it is a list or a map.
        """
        value = dict(self.values).get(key)
        if isinstance(value, (list, dict)):
            raise ConfigError(f"{self.place}: {key} must be a single value")
        if isinstance(value, bool):
            return str(value).lower()
        return "" if value is None else str(value)

    def need(self, key: str) -> str:
        """Return a value that must be there.

        Raises:
            ConfigError: it is not.
        """
        value = self.text(key)
        if not value:
            raise ConfigError(f"{self.place}: required parameter missing: {key}")
        return value

    def flag(self, key: str) -> bool:
        """Return a yes or no; no when it is not given.

        Raises:
            ConfigError: it is neither.
        """
        value = self.text(key).lower()
        if value in _TRUE or value in _FALSE:
            return value in _TRUE
        raise ConfigError(f"{self.place}: {key} must be true or false, not {value}")

    def permissions(self, key: str, default: int) -> int:
        """Return a file mode: with a leading 0 or 0o it is octal, and a bare number is decimal, as with Receptor.

        Raises:
            ConfigError: it is no file mode.
        """
        text = self.text(key)
        try:
            mode = _parse_mode(text) if text else default
        except ValueError as error:
            raise ConfigError(f"{self.place}: {key} {text} is no file mode") from error
        if mode & 0o600 != 0o600 or not 0 <= mode <= 0o777:
            raise ConfigError(
                f"{self.place}: {key} {text} means {mode:o}, which shuts the owner out",
                hint='write the mode as a quoted octal number: "0660"',
            )
        return mode


def load_blocks(path: Path) -> tuple[Block, ...]:
    """Read and check the blocks of a configuration file.

    Raises:
        ConfigError: the file cannot be read or parsed, or a block or key is unknown here.
    """
    entries = _load_yaml(path)
    if isinstance(entries, dict):
        raise ConfigError(
            f"{path}: this is Receptor's version 2 form (a map)",
            hint="the embedded node reads the list form: one `- block: {...}` entry each",
        )
    if not isinstance(entries, list):
        raise ConfigError(f"{path}: not a list of blocks", hint="start with `- node: {id: NAME}`")
    return tuple(_read_entry(entry, f"{path}, block {number}") for number, entry in enumerate(entries, 1))


def find_change(old: tuple[Block, ...], new: tuple[Block, ...]) -> str | None:
    """Say why a changed file needs a restart of the node; None when a reload is enough."""
    before = {(block.name, block.values) for block in old if not block.reloadable}
    after = {(block.name, block.values): None for block in new if not block.reloadable}
    for name, _values in (key for key in after if key not in before):
        return (
            f"a non-reloadable config action '{name}' was modified or added. "
            "Must restart receptor for these changes to take effect"
        )
    for name, _values in before - after.keys():
        return (
            f"a non-reloadable config action '{name}' was removed. "
            "Must restart receptor for changes to take effect"
        )
    return None


def _load_yaml(path: Path) -> object:
    import yaml

    try:
        return yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"cannot read {path}", cause=error.strerror) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML", cause=str(error)) from error


def _read_entry(entry: object, place: str) -> Block:
    if isinstance(entry, str):
        entry = {entry: None}
    if not isinstance(entry, dict) or len(entry) != 1:
        raise ConfigError(f"{place}: not a block", hint="each entry is one `- block: {...}`")
    (name, values) = next(iter(entry.items()))
    _check_name(str(name), place)
    place = f"{place} ({name})"
    return Block(name=str(name), values=_read_values(str(name), values, place), place=place)


def _check_name(name: str, place: str) -> None:
    if name in _OF_A_MESH:
        raise ConfigError(
            f"{place}: {name} is for a mesh, and the embedded node is local-only",
            hint="for a mesh, run the receptor daemon with this file: receptor --config FILE",
        )
    if name not in _KEYS:
        raise ConfigError(f"{place}: unknown config type {name}", hint=_suggest(name, (*_KEYS, *_OF_A_MESH)))


def _read_values(name: str, values: object, place: str) -> tuple[tuple[str, object], ...]:
    if values is None:
        return ()
    if not isinstance(values, dict):
        return _read_bare_value(name, values, place)
    read = {str(key).lower(): value for key, value in values.items()}
    for key in read:
        if key not in _KEYS[name]:
            raise ConfigError(f"{place}: unknown field {key}", hint=_suggest(key, _KEYS[name]))
    return tuple(sorted(read.items()))


def _read_bare_value(name: str, value: object, place: str) -> tuple[tuple[str, object], ...]:
    if name not in _BARE_VALUES:
        raise ConfigError(f"{place}: a map of fields is needed, not a single value")
    return ((_BARE_VALUES[name], value),)


def _suggest(name: str, known: tuple[str, ...]) -> str | None:
    nearest = difflib.get_close_matches(name, known, n=1)
    if nearest:
        return f"did you mean {nearest[0]}?"
    return f"known here: {', '.join(known)}" if known else None


def _parse_mode(text: str) -> int:
    digits = text.lower().removeprefix("0o")
    is_octal = digits != text.lower() or text.startswith("0")
    return int(digits, 8 if is_octal else 10)
