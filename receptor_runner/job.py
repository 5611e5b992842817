"""What to run, as one typed value.

A `Job` is what travels in the `kwargs` message of the stream. Its fields carry ansible-runner's own names, so that
a job made here runs on an ansible-runner worker and the other way round. It is validated here, once, on both sides.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from receptor_runner.errors import UsageError
from receptor_runner.job_kinds import Kind

IGNORED_KEYS = frozenset({"keepalive_seconds", "ignore_logging", "debug", "logfile", "streamer"})
"""Keys that callers of ansible-runner pass along and that say nothing about the job itself."""

_LONGEST_IDENT = 255
_SECRETS = frozenset(
    {
        "cmdline",
        "container_auth_data",
        "container_options",
        "envvars",
        "extravars",
        "inventory",
        "module_args",
        "passwords",
        "playbook",
        "role_vars",
        "settings",
        "ssh_key",
    }
)


def _option(*kinds: Kind) -> Any:
    return field(default=None, metadata={"kinds": kinds})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One Ansible job: a playbook, an ad-hoc module or a raw command, with all its options.

    Every field is optional on the wire; `None` means "not given". Names and meanings are those of ansible-runner's
    RunnerConfig. Each field declares the kinds of values that it accepts.
    """

    ident: str | None = _option(Kind.IDENT)
    binary: str | None = _option(Kind.SCALAR)
    playbook: str | list[Any] | dict[str, Any] | None = _option(Kind.TEXT, Kind.PLAYS, Kind.MAPPING)
    module: str | None = _option(Kind.SCALAR)
    module_args: str | None = _option(Kind.SCALAR)
    host_pattern: str | None = _option(Kind.SCALAR)
    role: str | None = _option(Kind.SCALAR)
    role_vars: dict[str, Any] | None = _option(Kind.MAPPING)
    role_skip_facts: bool | None = _option(Kind.BOOLEAN)
    hosts: str | None = _option(Kind.SCALAR)
    roles_path: str | list[str] | None = _option(Kind.TEXT, Kind.TEXTS)
    inventory: str | list[str] | dict[str, Any] | None = _option(Kind.TEXT, Kind.TEXTS, Kind.MAPPING)
    limit: str | None = _option(Kind.SCALAR)
    tags: str | None = _option(Kind.SCALAR)
    skip_tags: str | None = _option(Kind.SCALAR)
    forks: int | None = _option(Kind.INTEGER)
    verbosity: int | None = _option(Kind.INTEGER)
    cmdline: str | None = _option(Kind.SCALAR)
    extravars: str | dict[str, Any] | None = _option(Kind.TEXT, Kind.MAPPING)
    envvars: dict[str, Any] | None = _option(Kind.MAPPING)
    passwords: dict[str, Any] | None = _option(Kind.MAPPING)
    settings: dict[str, Any] | None = _option(Kind.MAPPING)
    ssh_key: str | None = _option(Kind.SCALAR)
    project_dir: str | None = _option(Kind.SCALAR)
    artifact_dir: str | None = _option(Kind.SCALAR)
    host_cwd: str | None = _option(Kind.SCALAR)
    rotate_artifacts: int | None = _option(Kind.INTEGER)
    quiet: bool | None = _option(Kind.BOOLEAN)
    json_mode: bool | None = _option(Kind.BOOLEAN)
    omit_event_data: bool | None = _option(Kind.BOOLEAN)
    only_failed_event_data: bool | None = _option(Kind.BOOLEAN)
    check_job_event_data: bool | None = _option(Kind.BOOLEAN)
    suppress_env_files: bool | None = _option(Kind.BOOLEAN)
    suppress_output_file: bool | None = _option(Kind.BOOLEAN)
    suppress_ansible_output: bool | None = _option(Kind.BOOLEAN)
    timeout: float | None = _option(Kind.NUMBER)
    fact_cache: str | None = _option(Kind.SCALAR)
    fact_cache_type: str | None = _option(Kind.SCALAR)
    directory_isolation_base_path: str | None = _option(Kind.SCALAR)
    process_isolation: bool | None = _option(Kind.BOOLEAN)
    process_isolation_executable: str | None = _option(Kind.SCALAR)
    process_isolation_path: str | None = _option(Kind.SCALAR)
    process_isolation_hide_paths: str | list[str] | None = _option(Kind.TEXT, Kind.TEXTS)
    process_isolation_show_paths: str | list[str] | None = _option(Kind.TEXT, Kind.TEXTS)
    process_isolation_ro_paths: str | list[str] | None = _option(Kind.TEXT, Kind.TEXTS)
    container_image: str | None = _option(Kind.SCALAR)
    container_volume_mounts: list[str] | None = _option(Kind.TEXTS)
    container_options: list[str] | None = _option(Kind.TEXTS)
    container_workdir: str | None = _option(Kind.SCALAR)
    container_auth_data: dict[str, Any] | None = _option(Kind.MAPPING)

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
        known = {option.name: option.metadata["kinds"] for option in fields(cls)}
        values: dict[str, Any] = {}
        for key, value in given.items():
            if value is None or key in IGNORED_KEYS:
                continue
            if key not in known:
                raise UsageError(f"unknown job option `{key}`", hint=_did_you_mean(key, known))
            values[key] = _converted(key, value, known[key])
        return cls(**values)

    def to_kwargs(self) -> dict[str, Any]:
        """Return the `kwargs` object of the stream: the options that were given, in a fixed order."""
        values = {option.name: getattr(self, option.name) for option in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def has_target(self) -> bool:
        """Whether the job says what to run."""
        return any((self.playbook, self.module, self.role, self.binary))

    @property
    def title(self) -> str:
        """What it runs, in a word or two: the playbook, else the module, the role or the command."""
        if self.playbook:
            return self.playbook if isinstance(self.playbook, str) else "plays"
        if self.module:
            return f"-m {self.module}"
        return f"-r {self.role}" if self.role else self.binary or ""

    def digest(self) -> str:
        """Return a digest of the options, the ident aside: equal jobs have equal digests."""
        import hashlib

        options = {key: value for key, value in self.to_kwargs().items() if key != "ident"}
        return hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode()).hexdigest()


def new_ident() -> str:
    """Return a fresh ident: 32 hexadecimal digits, as ansible-runner's transmit makes it."""
    return os.urandom(16).hex()


def check_ident(ident: str) -> str:
    """Return `ident` if it can name a directory, else raise UsageError."""
    too_long = len(ident.encode(errors="surrogateescape")) > _LONGEST_IDENT
    if not ident or ident in {".", ".."} or "/" in ident or "\0" in ident or too_long:
        raise UsageError(
            f"invalid ident `{ident}`", cause="it must be usable as the name of a directory below artifacts/"
        )
    return ident


_LISTED = "the page `Compatibility with ansible-runner 2.4` of the documentation lists the options"


def _did_you_mean(key: str, known: Iterable[str]) -> str:
    import difflib

    near = difflib.get_close_matches(key, sorted(known), n=1)
    return f"did you mean `{near[0]}`?" if near else _LISTED


def _converted(key: str, value: Any, kinds: tuple[Kind, ...]) -> Any:
    for kind in kinds:
        with contextlib.suppress(TypeError, ValueError):
            return kind.convert(value)
    raise UsageError(
        f"invalid value for job option `{key}`: {_shown(key, value)}",
        cause=f"expected {' or '.join(kind.value for kind in kinds)}",
    )


def _shown(key: str, value: Any) -> str:
    """Return a value as an error message may show it."""
    return f"a {type(value).__name__}" if key in _SECRETS else repr(value)
