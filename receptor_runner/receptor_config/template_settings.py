"""What can be set when a node config is rendered: names, kinds, defaults, and how a text becomes a value."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from receptor_runner.errors import UsageError
from receptor_runner.receptor_config.values import DURATION, closest, read_setting_boolean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Value: TypeAlias = str | bool | int | tuple[str, ...]

WORK_PREFIX = "work."


class SettingKind(Enum):
    """What a setting holds; each kind has its own reading of the text."""

    TEXT = "text"
    PATH = "path"
    COMMAND = "command"
    MODE = "octal mode"
    FLAG = "true or false"
    COUNT = "whole number"
    LEVEL = "log level"
    DURATION = "duration"
    ADDRESS = "host:port"
    ADDRESSES = "host:port,..."
    NAMES = "name,..."


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing a template lets its reader set.

    Args:
        name: the key of `--set`.
        kind: how the text is read.
        default: the text used when it is not set; "" means left out. `{id}` stands for the node's id.
        help: one line for people.
    """

    name: str
    kind: SettingKind
    default: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkCommandSetting:
    """One further work-command: the work type, the program and its parameters."""

    worktype: str
    command: str
    params: str


def read_settings(
    settings: tuple[Setting, ...], texts: Mapping[str, str], *, base_dir: Path
) -> dict[str, Value]:
    """Read the settings of one template, every setting filled in.

    Args:
        settings: what the template knows.
        texts: the texts of `--set`, by name.
        base_dir: the directory that relative paths start from.

    Raises:
        UsageError: an unknown name, or a text that does not fit its setting.
    """
    _refuse_unknown(settings, texts)
    chosen = {setting.name: texts.get(setting.name, setting.default) for setting in settings}
    node_id = chosen["id"]
    return {
        setting.name: _read(setting, chosen[setting.name].replace("{id}", node_id), base_dir)
        for setting in settings
    }


def read_work_commands(texts: Mapping[str, str], *, base_dir: Path) -> tuple[WorkCommandSetting, ...]:
    """Read the further work-commands, given as `work.TYPE=COMMAND PARAMS`.

    Raises:
        UsageError: one that names no type or no command.
    """
    return tuple(
        _work_command(key.removeprefix(WORK_PREFIX), text, base_dir)
        for key, text in texts.items()
        if key.startswith(WORK_PREFIX)
    )


def default_command() -> str:
    """Return the absolute path of the receptor-runner console script beside this interpreter."""
    return str(Path(sys.executable).parent / "receptor-runner")


def _work_command(worktype: str, text: str, base_dir: Path) -> WorkCommandSetting:
    command, _, params = text.strip().partition(" ")
    if not worktype or not command:
        raise UsageError(
            f"work.{worktype}={text} names no command", hint="--set work.TYPE='/path/to/command PARAMS'"
        )
    return WorkCommandSetting(
        worktype=worktype, command=_find_command(command, base_dir), params=params.strip()
    )


def _find_command(text: str, base_dir: Path) -> str:
    """The daemon's PATH is not ours, so a bare name becomes the path that we find, if any."""
    if "/" in text:
        return str(base_dir / Path(text).expanduser())
    return shutil.which(text) or text


def _refuse_unknown(settings: tuple[Setting, ...], texts: Mapping[str, str]) -> None:
    known = [setting.name for setting in settings]
    for key in texts:
        if key not in known and not key.startswith(WORK_PREFIX):
            guess = closest(key, known)
            hint = f"did you mean {guess}?" if guess else f"the settings are {', '.join(known)}, work.TYPE"
            raise UsageError(f"there is no setting {key!r}", hint=hint)


def _read(setting: Setting, text: str, base_dir: Path) -> Value:
    if text == "" and setting.kind not in {SettingKind.NAMES, SettingKind.ADDRESSES}:
        return ""
    if setting.kind is SettingKind.PATH:
        return str(base_dir / Path(text).expanduser())
    if setting.kind is SettingKind.COMMAND:
        return _find_command(text, base_dir)
    try:
        return _READERS[setting.kind](text)
    except ValueError as error:
        raise UsageError(
            f"{setting.name}={text} is not usable", cause=str(error), hint=f"{setting.name}: {setting.help}"
        ) from error


def _read_mode(text: str) -> str:
    if not re.fullmatch(r"(0o?)?[0-7]{3}", text):
        raise ValueError("a mode is three octal digits, such as 0660")
    return "0" + text[-3:]


def _read_flag(text: str) -> bool:
    value = read_setting_boolean(text)
    if value is None:
        raise ValueError("expected true or false")
    return value


def _read_count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("expected a whole number")
    return int(text)


def _read_level(text: str) -> str:
    if text.lower() not in {"error", "warning", "info", "debug"}:
        raise ValueError("expected error, warning, info or debug")
    return text.lower()


def _read_duration(text: str) -> str:
    if not DURATION.fullmatch(text):
        raise ValueError("expected a duration such as 30m or 1h30m")
    return text


def _read_address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal():
        raise ValueError("expected host:port")
    return text


def _read_names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _read_addresses(text: str) -> tuple[str, ...]:
    return tuple(_read_address(name) for name in _read_names(text))


_READERS: dict[SettingKind, Callable[[str], Value]] = {
    SettingKind.TEXT: str,
    SettingKind.MODE: _read_mode,
    SettingKind.FLAG: _read_flag,
    SettingKind.COUNT: _read_count,
    SettingKind.LEVEL: _read_level,
    SettingKind.DURATION: _read_duration,
    SettingKind.ADDRESS: _read_address,
    SettingKind.ADDRESSES: _read_addresses,
    SettingKind.NAMES: _read_names,
}
