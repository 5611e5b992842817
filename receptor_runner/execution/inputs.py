"""The inputs of a job: its options merged with the files `env/*` and `args` of its private data dir."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from receptor_runner.env_files import read_mapping, read_settings, read_text
from receptor_runner.errors import ConfigError
from receptor_runner.job import Job

PROMPT_TIMEOUT_S = 15.0

OVERRIDES = frozenset(
    {
        "container_auth_data",
        "container_image",
        "container_options",
        "container_volume_mounts",
        "container_workdir",
        "directory_isolation_base_path",
        "fact_cache",
        "fact_cache_type",
        "process_isolation",
        "process_isolation_executable",
        "process_isolation_hide_paths",
        "process_isolation_path",
        "process_isolation_ro_paths",
        "process_isolation_show_paths",
        "suppress_output_file",
    }
)
"""Settings that override the job option of the same name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """A job with all its inputs read.

    Attributes:
        job: the job; settings have overridden its options.
        settings: all settings.
        job_timeout_s: the longest it may run.
        idle_timeout_s: the longest it may print nothing.
        prompt_timeout_s: how long it may wait at a prompt that no password matches.
        passwords: the answer for each prompt pattern, in the order in which patterns are tried.
        envvars: environment variables from the job and the file.
        ssh_key: the text of a private key.
        cmdline: additional command line arguments.
        raw_command: the whole command line, from the file `args`.
        extravars_file: `env/extravars`, if it exists.
    """

    job: Job
    settings: Mapping[str, Any]
    job_timeout_s: float | None
    idle_timeout_s: float | None
    prompt_timeout_s: float
    passwords: Mapping[str, str]
    envvars: Mapping[str, str]
    ssh_key: str | None
    cmdline: tuple[str, ...]
    raw_command: tuple[str, ...] | None
    extravars_file: Path | None


def read_inputs(job: Job, private_data_dir: Path) -> Inputs:
    """Read `env/*` and `args` and merge them with the job.

    As with ansible-runner, settings, passwords and environment variables of a file override those of the job, and a
    job's ssh_key and cmdline override the files. Unlike there, settings of the job count without a file too, and a file
    that cannot be parsed is an error.

    Raises:
        ConfigError: a file is not a mapping, or has unbalanced quotes.
    """
    env = private_data_dir / "env"
    settings = read_settings(private_data_dir, job.settings)
    job = _overridden(job, settings)
    extravars = env / "extravars"
    return Inputs(
        job=job,
        settings=settings,
        job_timeout_s=job.timeout or _seconds(settings, "job_timeout"),
        idle_timeout_s=_seconds(settings, "idle_timeout"),
        prompt_timeout_s=_seconds(settings, "prompt_timeout") or PROMPT_TIMEOUT_S,
        passwords=_texts(read_mapping(env / "passwords", job.passwords)),
        envvars=_texts(read_mapping(env / "envvars", job.envvars)),
        ssh_key=job.ssh_key or read_text(env / "ssh_key"),
        cmdline=_words(job.cmdline or read_text(env / "cmdline") or "", env / "cmdline"),
        raw_command=_raw_command(private_data_dir / "args"),
        extravars_file=extravars if extravars.is_file() else None,
    )


def _overridden(job: Job, settings: Mapping[str, Any]) -> Job:
    given = {key: value for key, value in settings.items() if key in OVERRIDES and value is not None}
    checked = Job.from_kwargs(given)
    return dataclasses.replace(job, **{key: getattr(checked, key) for key in given})


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in values.items()}


def _seconds(settings: Mapping[str, Any], name: str) -> float | None:
    """Return a time limit of the settings; as with ansible-runner, 0 is no limit."""
    value = settings.get(name)
    if value is None:
        return None
    try:
        return float(value) or None
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"invalid setting {name}: {value!r}", cause="expected a number of seconds"
        ) from error


def _words(text: str, path: Path) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ConfigError(f"cannot split the command line {text!r}", cause=f"{error} ({path})") from error


def _raw_command(path: Path) -> tuple[str, ...] | None:
    text = read_text(path) if path.is_file() else None
    return _words(text, path) if text is not None else None
