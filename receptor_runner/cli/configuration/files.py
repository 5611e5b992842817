"""Configuration files: where they are, whether they can be trusted, and what is in them, line by line."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from receptor_runner.cli.suggestions import nearest
from receptor_runner.errors import ConfigError, pasteable

PROJECT_FILE = "receptor-runner.yml"
PROFILES = "profiles"
_SETTINGS_HELP = "receptor-runner run --help-all"

Value = str | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A setting in a file, as it is written there.

    Attributes:
        key: its name, which is that of an option without the dashes.
        value: a text, or the texts of a list.
        place: where it is, as `file:line`.
        directory: where the file is; relative paths start there.
    """

    key: str
    value: Value
    place: str
    directory: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationFile:
    """What a file says.

    Attributes:
        name: how messages call it.
        settings: the settings that always count.
        profiles: the settings of each profile.
    """

    name: str
    settings: Mapping[str, Entry] = field(default_factory=dict)
    profiles: Mapping[str, Mapping[str, Entry]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place where a file may be.

    Attributes:
        path: the place.
        name: how messages call it.
    """

    path: Path
    name: str


class NotUsable(Exception):
    """The file is somebody else's and does not count for this user; the text says why."""


def locations(environment: Mapping[str, str]) -> list[Location]:
    """Return where files are looked for, the one that overrides the others first.

    Source: the XDG base directory specification, by which a relative XDG_CONFIG_HOME is ignored.
    """
    found = [Location(path=Path(PROJECT_FILE), name=f"./{PROJECT_FILE}")]
    base, home = environment.get("XDG_CONFIG_HOME", ""), environment.get("HOME", "")
    if not base.startswith("/"):
        base = f"{home.rstrip('/')}/.config" if home.startswith("/") else ""
    if base:
        path = Path(base, "receptor-runner", "config.yml")
        inside = bool(home.strip("/")) and path.is_relative_to(home)
        found.append(Location(path=path, name=f"~/{path.relative_to(home)}" if inside else str(path)))
    return found


def read(location: Location, known: Collection[str]) -> ConfigurationFile | None:
    """Read a file; return None if there is none.

    Args:
        location: where it is.
        known: the names of all settings.

    Raises:
        NotUsable: it belongs to another user, or only others may read it.
        ConfigError: it cannot be read, is not valid, or has a setting that does not exist.
    """
    text = _read_text(location)
    if text is None:
        return None
    import yaml

    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{location.name}{line}: not valid YAML", cause=str(fault)) from fault
    finally:
        loader.dispose()
    if root is None:
        return ConfigurationFile(name=location.name)
    return _Reader(location, known).file(root)


def _read_text(location: Location) -> str | None:
    """Return the text of a trusted file. What is checked is what is read: others may swap files meanwhile."""
    try:
        # Not blocking: somebody may have put a named pipe there.
        descriptor = os.open(location.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as fault:
        _check_forbidden(location, fault)
        return None
    except OSError as fault:
        raise ConfigError(f"cannot read {location.name}", cause=fault.strerror) from fault
    # a descriptor first: Python opens no file object of a directory, and does not say which it was
    with contextlib.ExitStack() as closing:
        closing.callback(os.close, descriptor)
        _check(location, os.fstat(descriptor))
        with open(descriptor, "rb", closefd=False) as stream:
            return _decoded(location, stream)


def _decoded(location: Location, stream: IO[bytes]) -> str:
    try:
        return stream.read().decode()
    except OSError as fault:
        raise ConfigError(f"cannot read {location.name}", cause=fault.strerror) from fault
    except UnicodeDecodeError as fault:
        raise ConfigError(f"{location.name}: not UTF-8", cause=str(fault)) from fault


def _check_forbidden(location: Location, fault: PermissionError) -> None:
    """Pass over a home directory that is closed to us: services run with the HOME of whoever started them.

    A file of the caller's own is no such thing: what it says of the node must not be dropped.
    """
    try:
        owner = location.path.lstat().st_uid
    except PermissionError:
        return
    if owner == os.geteuid():
        hint = pasteable("chmod", "u+r", location.path)
        raise ConfigError(f"cannot read {location.name}", cause=fault.strerror, hint=hint) from fault
    raise NotUsable("permission denied") from fault


def _check(location: Location, status: os.stat_result) -> None:
    """Refuse a file whose content others decide: it says to which node the job and its secrets go.

    A file of another user may have been planted in a directory that everybody may write, such as /tmp, and is none
    of the caller's; one of the caller's own with wrong permissions is, so that ignoring it would surprise.
    """
    trusted = {0, os.geteuid()}
    owners = {status.st_uid}
    with contextlib.suppress(OSError):
        owners.add(location.path.lstat().st_uid)  # a link to the caller's file may be planted as well
    if not owners <= trusted:
        raise NotUsable("it belongs to another user")
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{location.name} is not a regular file")
    if status.st_mode & stat.S_IWOTH:
        raise ConfigError(
            f"{location.name}: everybody may write to it", hint=pasteable("chmod", "o-w", location.path)
        )


class _Reader:
    """Reads a file's tree.

    Args:
        location: where the file is.
        known: the names of all settings.
    """

    def __init__(self, location: Location, known: Collection[str]) -> None:
        self._name = location.name
        self._directory = Path(os.path.abspath(location.path)).parent
        self._known = known

    def file(self, root: Any) -> ConfigurationFile:
        """Return what the file says."""
        profiles: dict[str, Mapping[str, Entry]] = {}
        settings: dict[str, Entry] = {}
        for key, node, place in self._pairs(root, "the file"):
            if key == PROFILES:
                for name, profile, _place in self._pairs(node, f"`{PROFILES}`"):
                    profiles[name] = dict(self._settings(profile, f"profile `{name}`"))
            else:
                settings[key] = self._entry(key, node, place, [*self._known, PROFILES])
        return ConfigurationFile(name=self._name, settings=settings, profiles=profiles)

    def _settings(self, node: Any, what: str) -> Iterator[tuple[str, Entry]]:
        for key, value, place in self._pairs(node, what):
            yield key, self._entry(key, value, place, self._known)

    def _pairs(self, node: Any, what: str) -> Iterator[tuple[str, Any, str]]:
        if node.id != "mapping":
            raise ConfigError(f"{self._place(node)}: {what} must be a mapping of `name: value`")
        seen: set[str] = set()
        for key, value in node.value:
            name, place = str(key.value), self._place(key)
            if name in seen:
                raise ConfigError(f"{place}: `{name}` is set twice")
            seen.add(name)
            yield name, value, place

    def _entry(self, key: str, node: Any, place: str, known: Collection[str]) -> Entry:
        if key not in known:
            raise ConfigError(f"{place}: unknown setting `{key}`", hint=_way_out(key, known, place))
        return Entry(key=key, value=self._value(key, node, place), place=place, directory=self._directory)

    def _value(self, key: str, node: Any, place: str) -> Value:
        """Return a value as it is written: what it means, the option of that name knows, not YAML."""
        if _is_text(node):
            return str(node.value)
        if node.id == "sequence" and all(map(_is_text, node.value)):
            return tuple(str(item.value) for item in node.value)
        raise ConfigError(f"{place}: `{key}` must be a text or a list of texts")

    def _place(self, node: Any) -> str:
        return f"{self._name}:{node.start_mark.line + 1}"


def _is_text(node: Any) -> bool:
    return bool(node.id == "scalar" and node.tag != "tag:yaml.org,2002:null")


def _way_out(key: str, known: Collection[str], place: str) -> str:
    """Return what to do with an unknown setting; no command that would stop at it too."""
    near = nearest(key.replace("_", "-"), known)
    name, _colon, line = place.rpartition(":")
    return f"did you mean `{near}`?" if near else f"remove line {line} of {name}; settings: {_SETTINGS_HELP}"
