"""What can be set when a template is rendered, and how the texts of `--set` become values."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from receptor_runner.errors import UsageError
from receptor_runner.receptor_config.values import DURATION, closest, read_setting_boolean
from receptor_runner.system.interpreter import program_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Value: TypeAlias = str | bool | int | tuple[str, ...]

WORK_PREFIX = "work."
WORKER = "receptor-runner"


class SettingKind(Enum):
    """What a setting holds; each kind has its own way to read the text."""

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
    """One thing that can be set in a template.

    Args:
        name: the KEY of `--set`.
        kind: how the text is read.
        default: the text used if it is not set; "" means left out. `{id}` stands for the node's id.
        help: one line for people.
    """

    name: str
    kind: SettingKind
    default: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkType:
    """One work-command to write: the work type, the program and its parameters."""

    worktype: str
    command: str
    params: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine that a file is rendered for.

    Args:
        base_dir: on this machine, the directory that relative paths start from; None for another machine, whose
            home directories, working directory and PATH are not known here.
    """

    base_dir: Path | None

    def path(self, name: str, text: str) -> str:
        """Return a path on that machine.

        Raises:
            UsageError: a path on another machine that is not absolute.
        """
        if self.base_dir is not None:
            return str(self.base_dir / Path(text).expanduser())
        if not text.startswith("/"):
            raise UsageError(
                f"{name}={text} is not an absolute path",
                cause="the file is for another machine, so a relative path has no meaning here",
                hint="write that machine's absolute path, or add --here if the file is for this machine",
            )
        return text

    def command(self, name: str, text: str) -> str:
        """Return a program; the daemon's PATH may differ from ours, so a bare name is looked up on this machine.

        Raises:
            UsageError: a path on another machine that is not absolute.
        """
        if "/" in text:
            return self.path(name, text)
        return (shutil.which(text) if self.base_dir is not None else None) or text

    def worker(self) -> tuple[str, str]:
        """Return the program that runs our worker, and the parameters that must come first.

        On this machine it is this very installation: its console script, or else the interpreter with the module
        (`pip install --target`, a source tree).
        """
        if self.base_dir is None:
            return WORKER, ""
        script = _find_own_script()
        program, *first = program_words()
        return (script, "") if script else (program, f"{shlex.join(first)} ")


def _find_own_script() -> str | None:
    """Return the console script that was installed with this package.

    A script in PATH, or beside the interpreter, may belong to another version (`pip install --user` beside a
    distribution's package), so only the directory that goes with the package's own is searched.
    """
    import sysconfig

    package_dir = str(Path(__file__).parents[2])
    for scheme in sysconfig.get_scheme_names():
        script = Path(sysconfig.get_path("scripts", scheme), WORKER)
        if sysconfig.get_path("purelib", scheme) == package_dir and script.exists():
            return str(script)
    return None


def read_settings(
    settings: tuple[Setting, ...], texts: Mapping[str, str], machine: Machine
) -> dict[str, Value]:
    """Read the settings of one template; what is not set gets its default.

    Args:
        settings: what the template knows.
        texts: the texts of `--set`, by name.
        machine: the machine that the file is for.

    Raises:
        UsageError: an unknown name, or a text that does not fit its setting.
    """
    _refuse_unknown(settings, texts)
    chosen = {setting.name: texts.get(setting.name, setting.default) for setting in settings}
    node_id = chosen["id"]
    return {
        setting.name: _read(setting, chosen[setting.name].replace("{id}", node_id), machine)
        for setting in settings
    }


def read_work_types(texts: Mapping[str, str], machine: Machine) -> tuple[WorkType, ...]:
    """Read the additional work types, given as `work.TYPE=COMMAND PARAMS`.

    Raises:
        UsageError: no type or no command, or a command that is not an absolute path on another machine.
    """
    return tuple(
        _work_type(key.removeprefix(WORK_PREFIX), text, machine)
        for key, text in texts.items()
        if key.startswith(WORK_PREFIX)
    )


def _work_type(worktype: str, text: str, machine: Machine) -> WorkType:
    command, _, params = text.strip().partition(" ")
    if not worktype or not command:
        raise UsageError(
            f"work.{worktype}={text} has no work type or no command",
            hint="--set work.TYPE='/path/to/command PARAMS'",
        )
    path = machine.command(f"work.{worktype}", command)
    return WorkType(worktype=worktype, command=path, params=params.strip())


def _refuse_unknown(settings: tuple[Setting, ...], texts: Mapping[str, str]) -> None:
    known = [setting.name for setting in settings]
    for key in texts:
        if key not in known and not key.startswith(WORK_PREFIX):
            guess = closest(key, known)
            hint = f"did you mean {guess}?" if guess else f"the settings are {', '.join(known)}, work.TYPE"
            raise UsageError(f"unknown setting {key!r}", hint=hint)


def _read(setting: Setting, text: str, machine: Machine) -> Value:
    if text == "" and setting.kind not in {SettingKind.NAMES, SettingKind.ADDRESSES}:
        return ""
    if setting.kind is SettingKind.PATH:
        return machine.path(setting.name, text)
    if setting.kind is SettingKind.COMMAND:
        return text if text == WORKER else machine.command(setting.name, text)
    try:
        return _READERS[setting.kind](text)
    except ValueError as fault:
        raise UsageError(
            f"invalid value {setting.name}={text}", cause=str(fault), hint=f"{setting.name}: {setting.help}"
        ) from fault


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
