"""What to run, as one typed value.

A `Job` is what travels in the `kwargs` message of the stream. Its fields carry ansible-runner's own names, so that
a job made here runs on an ansible-runner worker and the other way round. It is validated here, once, on both sides.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from receptor_runner.errors import UsageError

IGNORED_KEYS = frozenset({"keepalive_seconds", "ignore_logging", "debug", "logfile", "streamer"})
"""Keys that callers of ansible-runner pass along and that say nothing about the job itself."""


_LONGEST_IDENT = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One Ansible job: a playbook, an ad-hoc module or a raw command, with all its options.

    Every field is optional on the wire; `None` means "not given". Names and meanings are those of
    ansible-runner's RunnerConfig.
    """

    ident: str | None = None
    binary: str | None = None
    playbook: str | list[Any] | dict[str, Any] | None = None
    module: str | None = None
    module_args: str | None = None
    host_pattern: str | None = None
    role: str | None = None
    role_vars: dict[str, Any] | None = None
    role_skip_facts: bool | None = None
    hosts: str | None = None
    roles_path: str | list[str] | None = None
    inventory: str | list[str] | dict[str, Any] | None = None
    limit: str | None = None
    tags: str | None = None
    skip_tags: str | None = None
    forks: int | None = None
    verbosity: int | None = None
    cmdline: str | None = None
    extravars: str | dict[str, Any] | None = None
    envvars: dict[str, Any] | None = None
    passwords: dict[str, Any] | None = None
    settings: dict[str, Any] | None = None
    ssh_key: str | None = None
    project_dir: str | None = None
    artifact_dir: str | None = None
    host_cwd: str | None = None
    rotate_artifacts: int | None = None
    quiet: bool | None = None
    json_mode: bool | None = None
    omit_event_data: bool | None = None
    only_failed_event_data: bool | None = None
    check_job_event_data: bool | None = None
    suppress_env_files: bool | None = None
    suppress_output_file: bool | None = None
    suppress_ansible_output: bool | None = None
    timeout: float | None = None
    fact_cache: str | None = None
    fact_cache_type: str | None = None
    directory_isolation_base_path: str | None = None
    process_isolation: bool | None = None
    process_isolation_executable: str | None = None
    process_isolation_path: str | None = None
    process_isolation_hide_paths: str | list[str] | None = None
    process_isolation_show_paths: str | list[str] | None = None
    process_isolation_ro_paths: str | list[str] | None = None
    container_image: str | None = None
    container_volume_mounts: list[str] | None = None
    container_options: list[str] | None = None
    container_workdir: str | None = None
    container_auth_data: dict[str, Any] | None = None

    @classmethod
    def from_kwargs(cls, given: Mapping[str, Any]) -> Job:
        """Read a job from the `kwargs` object of a stream or from a caller's keyword arguments.

        Args:
            given: option name to value; `None` counts as not given.

        Raises:
            UsageError: an option is unknown (with the nearest known name) or of the wrong type.

        Source: the keys that ansible-runner 2.4.3 accepts; there an unknown key is a TypeError without any
        message on the stream.
        """
        known = {field.name for field in fields(cls)}
        values: dict[str, Any] = {}
        for key, value in given.items():
            if key in IGNORED_KEYS or value is None:
                continue
            if key not in known:
                raise UsageError(f"unknown job option `{key}`", hint=_did_you_mean(key, known))
            values[key] = _converted(key, value)
        return cls(**values)

    def to_kwargs(self) -> dict[str, Any]:
        """Return the `kwargs` object of the stream: the options that were given, in a fixed order."""
        return {
            field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None
        }

    @property
    def has_target(self) -> bool:
        """Whether the job says what to run."""
        return any((self.playbook, self.module, self.role, self.binary))

    def digest(self) -> str:
        """Return a digest of the options, the ident aside: equal jobs have equal digests."""
        options = {key: value for key, value in self.to_kwargs().items() if key != "ident"}
        return hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode()).hexdigest()


def new_ident() -> str:
    """Return a fresh ident: 32 hexadecimal digits, as ansible-runner's transmit makes it."""
    return uuid.uuid4().hex


def check_ident(ident: str) -> str:
    """Return `ident` if it can name a directory, else raise UsageError."""
    too_long = len(ident.encode(errors="surrogateescape")) > _LONGEST_IDENT
    if not ident or ident in {".", ".."} or "/" in ident or "\0" in ident or too_long:
        raise UsageError(f"`{ident}` is no ident", cause="an ident names a directory below artifacts/")
    return ident


def _did_you_mean(key: str, known: set[str]) -> str:
    near = difflib.get_close_matches(key, sorted(known), n=1)
    return f"did you mean `{near[0]}`?" if near else "the options are listed in docs/compatibility.md"


_KINDS: dict[str, type[Any]] = {"str": str, "list[str]": list, "list[Any]": list, "dict[str, Any]": dict}
_WORDS = {"str": "text", "list[str]": "a list of texts", "list[Any]": "a list", "dict[str, Any]": "a mapping"}
_BOOLEANS = frozenset(
    field.name for field in fields(Job) if isinstance(field.type, str) and field.type.startswith("bool")
)
_TEXTS = frozenset(field.name for field in fields(Job) if field.type == "str | None")
_MAPPINGS = frozenset(field.name for field in fields(Job) if field.type == "dict[str, Any] | None")
_NUMBERS: dict[str, type[int | float]] = {
    "forks": int,
    "verbosity": int,
    "rotate_artifacts": int,
    "timeout": float,
}


_OTHERS: dict[str, tuple[type[Any], ...]] = {
    field.name: tuple(kind for name, kind in _KINDS.items() if name in str(field.type).split(" | "))
    for field in fields(Job)
    if field.name not in _BOOLEANS | _TEXTS | _MAPPINGS | _NUMBERS.keys()
}


def _converted(key: str, value: Any) -> Any:
    """Return the value as its field wants it: callers send an int ident, "5" forks, a uuid."""
    if key == "ident":
        return value.hex if isinstance(value, uuid.UUID) else str(value)
    if key in _BOOLEANS:
        return _checked(key, value, bool(value), isinstance(value, bool | int), "true or false")
    if key in _NUMBERS:
        return _number(key, value)
    if key in _TEXTS:
        text = isinstance(value, str | int | float) and not isinstance(value, bool)
        return _checked(key, value, str(value), text, "text")
    if key in _MAPPINGS:
        return _checked(key, value, value, isinstance(value, dict), "a mapping")
    return _checked(
        key, value, value, isinstance(value, _OTHERS[key]) and _holds_texts(key, value), _wanted(key)
    )


def _wanted(key: str) -> str:
    kinds = next(str(field.type) for field in fields(Job) if field.name == key).split(" | ")
    return " or ".join(_WORDS[kind] for kind in kinds if kind in _WORDS)


def _holds_texts(key: str, value: Any) -> bool:
    """Return whether a list has only texts in it; a playbook's list holds plays."""
    return key == "playbook" or not isinstance(value, list) or all(isinstance(item, str) for item in value)


def _number(key: str, value: Any) -> int | float:
    try:
        return _NUMBERS[key](value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"job option `{key}` is {value!r}", cause="a number is wanted") from error


def _checked(key: str, given: Any, converted: Any, fits: bool, wanted: str) -> Any:
    if not fits:
        raise UsageError(f"job option `{key}` is {given!r}", cause=f"{wanted} is wanted")
    return converted
