"""Which options are settings too, and from where their values come."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from receptor_runner.cli.suggestions import nearest
from receptor_runner.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from receptor_runner.cli.configuration.files import ConfigurationFile, Entry

SETTINGS = (
    "socket", "node", "work-type", "work-params", "signwork", "ttl", "tls-client", "config", "rootcas", "key", "cert",
    "compression-level",
    "retry-deadline", "retry-max-wait", "wait-timeout", "contact-timeout", "pending-timeout", "node-timeout",
    "runner-timeout", "results-timeout", "cancel-timeout", "keep", "process-isolation",
    "process-isolation-executable", "container-image", "container-volume-mount", "container-option", "job-timeout",
    "job-idle-timeout", "output", "color", "log-format",
)  # fmt: skip
"""The settings, by the names of their options."""

_PATHS = {"config", "rootcas", "key", "cert"}
_RECEPTORCTL = {
    "socket": "RECEPTORCTL_SOCKET",
    "config": "RECEPTORCTL_CONFIG",
    "tls-client": "RECEPTORCTL_TLSCLIENT",
}
"""The variables of receptorctl; ours override them."""

_PLACES = f"{__name__}.places"


def variable(key: str) -> str:
    """Return the environment variable of a setting."""
    return f"RECEPTOR_RUNNER_{key.upper().replace('-', '_')}"


def key_of(parameter: click.Parameter) -> str | None:
    """Return the setting that a parameter of one of our commands is, or None.

    Ansible's options, and the container engine of a clean-up, mean something else than settings of the same names.
    """
    name = str(parameter.name)
    if not isinstance(parameter, click.Option) or name.startswith("ansible_") or name == "engine":
        return None
    keys = (name.removeprefix("--") for name in parameter.opts)
    return next((key for key in keys if key in SETTINGS), None)


def bind_variables(parameters: Iterable[click.Parameter]) -> None:
    """Let environment variables set those options of a command that are settings."""
    for parameter in parameters:
        key = key_of(parameter)
        if key and isinstance(parameter, click.Option):
            other = _RECEPTORCTL.get(key)
            parameter.envvar = [variable(key), other] if other else variable(key)
            parameter.show_envvar = True


def take_profile(context: click.Context, _parameter: click.Parameter, profile: str | None) -> str | None:
    """Read the configuration files and make their values the defaults of the command's options.

    Called for `--profile`, whether it is given or not, before any other option; only commands that talk to a node have
    it, so that no file is read by the others.

    Raises:
        UsageError: no file has that profile.
        ConfigError: a file cannot be used.
    """
    files = list(_files(is_quiet=context.resilient_parsing))
    entries = _merge(files, profile)
    defaults: dict[str, object] = {}
    places: dict[str, str] = {}
    for parameter in context.command.params:
        entry = entries.get(key_of(parameter) or "")
        if entry and parameter.name:
            defaults[parameter.name] = _convert(context, parameter, entry)
            places[parameter.name] = entry.place
    context.default_map = defaults
    context.meta[_PLACES] = places
    return profile


def _files(*, is_quiet: bool = False) -> Iterator[ConfigurationFile]:
    from receptor_runner.cli.configuration.files import NotUsable, locations, read

    for location in locations(os.environ):
        try:
            found = read(location, SETTINGS)
        except NotUsable as reason:
            from receptor_runner.cli import messages

            if not is_quiet:
                messages.note(f"warning: ignored {location.name}: {reason}")
            continue
        if found:
            yield found


def _merge(files: list[ConfigurationFile], profile: str | None) -> Mapping[str, Entry]:
    """Return the entries that count: those of the profile first, those of the project before the user's."""
    chosen = [file.profiles[profile] for file in files if profile in file.profiles] if profile else []
    if profile and not chosen:
        raise _unknown_profile(profile, files)
    merged: dict[str, Entry] = {}
    for entries in [*chosen, *(file.settings for file in files)]:
        for key, entry in entries.items():
            merged.setdefault(key, entry)
    return merged


def _unknown_profile(profile: str, files: list[ConfigurationFile]) -> UsageError:
    names = sorted({name for file in files for name in file.profiles})
    near = nearest(profile, names)
    cause = f"there are: {', '.join(names)}" if names else "no configuration file has profiles"
    hint = f"did you mean `--profile {near}`?" if near else "leave it out: unset RECEPTOR_RUNNER_PROFILE"
    return UsageError(f"no profile `{profile}`", cause=cause, hint=hint)


def _convert(context: click.Context, parameter: click.Parameter, entry: Entry) -> object:
    values = (entry.value,) if isinstance(entry.value, str) else entry.value
    if parameter.multiple is False and len(values) != 1:
        raise ConfigError(f"{entry.place}: `{entry.key}` takes one value")
    if entry.key in _PATHS:
        values = tuple(str(entry.directory / Path(value).expanduser()) for value in values)
    try:
        return parameter.type_cast_value(context, values if parameter.multiple else values[0])
    except click.BadParameter as fault:
        raise ConfigError(f"{entry.place}: invalid `{entry.key}`", cause=fault.message) from fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A setting as it counts for a command.

    Attributes:
        key: its name.
        value: its value.
        source: where it comes from: an option, a variable, `file:line`, or `default`.
    """

    key: str
    value: object
    source: str


def shown(context: click.Context) -> Iterator[Shown]:
    """Yield all settings of a command in the order of SETTINGS."""
    found = {key: parameter for parameter in context.command.params if (key := key_of(parameter))}
    for key in SETTINGS:
        if parameter := found.get(key):
            name = str(parameter.name)
            yield Shown(key=key, value=_value(context, parameter), source=source_of(context, name))


def _value(context: click.Context, parameter: click.Parameter) -> object:
    """Return the value of a setting, also of one that its callback has taken instead of the command."""
    name = str(parameter.name)
    if name in context.params:
        return context.params[name]
    return parameter.value_from_envvar(context) or parameter.get_default(context)


def source_of(context: click.Context, name: str) -> str:
    """Return where the value of a parameter comes from."""
    source = context.get_parameter_source(name)
    parameter = next(parameter for parameter in context.command.params if parameter.name == name)
    if source is ParameterSource.COMMANDLINE:
        return parameter.opts[-1]
    if source is ParameterSource.ENVIRONMENT:
        names = [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar or []
        return next(name for name in names if os.environ.get(name))
    if source is ParameterSource.DEFAULT_MAP:
        places: dict[str, str] = context.meta[_PLACES]
        return places[name]
    return "default"
