"""The inputs of a job: its options merged with the files `env/*` and `args` of its private data dir."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from receptor_runner.env_files import EnvFiles, split_words
from receptor_runner.errors import ConfigError, UsageError
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


_FIXED_FAULTS = frozenset(
    {
        "missing ), unterminated subpattern",
        "multiple repeat",
        "nothing to repeat",
        "unbalanced parenthesis",
        "unterminated character set",
    }
)
"""What `re` says of a pattern without a character of it."""


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


def read_inputs(job: Job, files: EnvFiles) -> Inputs:
    """Read `env/*` and `args` and merge them with the job.

    As with ansible-runner, settings, passwords and environment variables of a file override those of the job, and a
    job's ssh_key and cmdline override the files. Unlike there, settings of the job count without a file too, and a file
    that cannot be parsed is an error.

    Args:
        job: the job.
        files: the files of its private data directory.

    Raises:
        ConfigError: a file is not a mapping, has unbalanced quotes, or holds a value that makes no sense.
        MissingInput: a file cannot be read.
    """
    in_file = files.settings(None)
    settings = {**(job.settings or {}), **in_file}

    def source(name: str) -> str:
        return files.name_of("env/settings") if name in in_file else "the option settings"

    job = _overridden(job, settings, source)
    return Inputs(
        job=job,
        settings=settings,
        job_timeout_s=job.timeout or _seconds(settings, "job_timeout", source),
        idle_timeout_s=_seconds(settings, "idle_timeout", source),
        prompt_timeout_s=_seconds(settings, "prompt_timeout", source) or PROMPT_TIMEOUT_S,
        passwords=_passwords(job, files),
        envvars=_texts(files.mapping("env/envvars", job.envvars)),
        ssh_key=job.ssh_key or files.text("env/ssh_key"),
        cmdline=_cmdline(job, files),
        raw_command=files.words("args"),
        extravars_file=files.variables("env/extravars"),
    )


def compile_prompts(passwords: Mapping[str, str], source: str) -> list[tuple[re.Pattern[str], str]]:
    """Return the answers behind the patterns that find their prompts.

    Args:
        passwords: the answer for each regular expression.
        source: what errors call the place where they are written; they do not quote it, since a pattern that is none
            may be a password in its place.

    Raises:
        ConfigError: a pattern is not a regular expression.
    """
    return [
        (_compiled(pattern, number, source), answer)
        for number, (pattern, answer) in enumerate(passwords.items(), start=1)
    ]


def _compiled(pattern: str, number: int, source: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.MULTILINE)
    except re.error as error:
        what = f"prompt number {number} in {source} is not a regular expression"
        cause = error.msg if error.msg in _FIXED_FAULTS else "it cannot be compiled"
        position = "" if error.pos is None else f" at its character {error.pos + 1}"
        hint = "write a backslash before each of ( ) [ ] { } * + ? . ^ $ | that means itself"
        raise ConfigError(what, cause=f"{cause}{position}", hint=hint) from None
    except (OverflowError, RecursionError):
        raise ConfigError(f"prompt number {number} in {source} is not a regular expression") from None


def _passwords(job: Job, files: EnvFiles) -> dict[str, str]:
    given, in_file = _texts(job.passwords or {}), _texts(files.mapping("env/passwords"))
    compile_prompts(given, "the option passwords")
    compile_prompts(in_file, files.name_of("env/passwords"))
    return {**given, **in_file}


def _overridden(job: Job, settings: Mapping[str, Any], source: Callable[[str], str]) -> Job:
    given = {key: value for key, value in settings.items() if key in OVERRIDES and value is not None}
    changes = {key: _checked(key, value, source(key)) for key, value in given.items()}
    return dataclasses.replace(job, **changes)


def _checked(key: str, value: Any, source: str) -> Any:
    try:
        return getattr(Job.from_kwargs({key: value}), key)
    except UsageError as error:
        raise ConfigError(f"invalid setting {key} in {source}", cause=error.cause) from None


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in values.items()}


def _seconds(settings: Mapping[str, Any], name: str, source: Callable[[str], str]) -> float | None:
    """Return a time limit of the settings; as with ansible-runner, 0 is no limit."""
    value = settings.get(name)
    if value is None:
        return None
    try:
        return float(value) or None
    except (TypeError, ValueError):
        what = f"invalid setting {name} in {source(name)}"
        raise ConfigError(what, cause="expected a number of seconds") from None


def _cmdline(job: Job, files: EnvFiles) -> tuple[str, ...]:
    if job.cmdline:
        return split_words(job.cmdline, "the option cmdline")
    return files.words("env/cmdline") or ()
