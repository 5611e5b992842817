"""The command line, environment and working directory of a job, as pure functions of its inputs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from receptor_runner.errors import ConfigError
from receptor_runner.job import Job
from receptor_runner.job_inputs import Inputs

CALLBACK_DIRECTORY = Path(__file__).with_name("callback")
CALLBACK_NAME = "receptor_runner_events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to execute.

    Attributes:
        command: program and arguments.
        env: the whole environment.
        cwd: the working directory, as the job sees it.
        shared: directories of this machine that are made for the job and have to be visible to it.
        copy: the copy of the project that the job works in, if there is one.
        home: a temporary home directory, if the user has none.
    """

    command: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    shared: tuple[Path, ...] = ()
    copy: Path | None = None
    home: Path | None = None


def is_ad_hoc(job: Job) -> bool:
    """Whether the job runs a single module by `ansible`."""
    return bool(job.module) and not job.binary


def check_target(inputs: Inputs) -> None:
    """Check that the job has one target.

    Raises:
        ConfigError: it has none, or both a module and a playbook.

    Source: ansible-runner's messages for the same cases.
    """
    job = inputs.job
    if job.module and job.playbook:
        raise ConfigError("Only one of playbook and module options are allowed")
    if inputs.raw_command is None and not (job.binary or job.module or job.playbook):
        raise ConfigError("Runner playbook required when running ansible-playbook")


def build_command(inputs: Inputs, private_data_dir: Path) -> tuple[str, ...]:
    """Return the argument vector, in ansible-runner's order."""
    job = inputs.job
    if inputs.raw_command is not None:
        return inputs.raw_command
    program = job.binary or ("ansible" if job.module else "ansible-playbook")
    return (program, *inputs.cmdline, *_options(inputs, private_data_dir), *_target(job))


def _options(inputs: Inputs, private_data_dir: Path) -> list[str]:
    job = inputs.job
    options: list[str] = []
    for source in job.inventory or ():
        options += ["-i", source]
    if job.limit is not None:
        options += ["--limit", job.limit]
    if inputs.extravars_file is not None:
        options += ["-e", f"@{inputs.extravars_file}"]
    options += _extravars(job.extravars, private_data_dir)
    if job.verbosity:
        options.append("-" + "v" * job.verbosity)
    for name, value in (("--tags", job.tags), ("--skip-tags", job.skip_tags), ("--forks", job.forks)):
        if value:
            options += [name, str(value)]
    return options


def _extravars(extravars: str | Mapping[str, Any] | None, private_data_dir: Path) -> list[str]:
    if not extravars:
        return []
    if isinstance(extravars, str):
        path = private_data_dir / extravars
        return ["-e", f"@{path}" if path.is_file() else extravars]
    entries = (f"{json.dumps(key)}:{json.dumps(value)}" for key, value in extravars.items())
    return ["-e", "{" + ",".join(entries) + "}"]


def _target(job: Job) -> list[str]:
    if job.binary:
        return []
    if not job.module:
        return [str(job.playbook)]
    arguments = ["-a", job.module_args] if job.module_args is not None else []
    hosts = [job.host_pattern] if job.host_pattern else []  # without one, the cmdline names the hosts
    return ["-m", job.module, *arguments, *hosts]


def build_env(
    inputs: Inputs,
    private_data_dir: Path,
    artifact_dir: Path,
    inherited: Mapping[str, str],
    callback_directory: Path = CALLBACK_DIRECTORY,
) -> dict[str, str]:
    """Return the environment of the job.

    Args:
        inputs: the job and its inputs.
        private_data_dir: where its files are, as the job sees them.
        artifact_dir: where its artifacts go, as the job sees it.
        inherited: the environment that all else is added to.
        callback_directory: where the job finds the callback plugin.

    Source: the variables are those that ansible-runner sets for ansible, and its values.
    """
    env = {**inherited, **inputs.envvars}
    env |= _callback_variables(env, artifact_dir, callback_directory, inputs.job)
    env.setdefault("ANSIBLE_HOST_KEY_CHECKING", "False")
    env |= _cache_variables(inputs.job, artifact_dir)
    roles_path = _roles_path(inputs, private_data_dir)
    if roles_path:
        env["ANSIBLE_ROLES_PATH"] = roles_path
    if is_ad_hoc(inputs.job):
        env["ANSIBLE_LOAD_CALLBACK_PLUGINS"] = "1"
        env.setdefault("AD_HOC_COMMAND_ID", "1")
    return env


def _callback_variables(
    env: Mapping[str, str], artifact_dir: Path, callback_directory: Path, job: Job
) -> dict[str, str]:
    paths = [path for path in (env.get("ANSIBLE_CALLBACK_PLUGINS"), str(callback_directory)) if path]
    variables = {
        "ANSIBLE_CALLBACK_PLUGINS": ":".join(paths),
        "ANSIBLE_STDOUT_CALLBACK": CALLBACK_NAME,
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "AWX_ISOLATED_DATA_DIR": str(artifact_dir),
        "RUNNER_OMIT_EVENTS": str(bool(job.omit_event_data)),
        "RUNNER_ONLY_FAILED_EVENTS": str(bool(job.only_failed_event_data)),
    }
    original = env.get("ANSIBLE_STDOUT_CALLBACK")
    return variables | ({"ORIGINAL_STDOUT_CALLBACK": original} if original else {})


def fact_cache_directory(job: Job, artifact_dir: Path) -> Path | None:
    """Return the fact cache's directory among the artifacts, or None if facts are kept elsewhere."""
    if job.fact_cache_type not in {None, "jsonfile"}:
        return None
    return artifact_dir / (job.fact_cache or "fact_cache")


def _cache_variables(job: Job, artifact_dir: Path) -> dict[str, str]:
    directory = fact_cache_directory(job, artifact_dir)
    if directory is None:
        return {}
    return {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(directory)}


def _roles_path(inputs: Inputs, private_data_dir: Path) -> str | None:
    given = inputs.job.roles_path
    if given:
        return given if isinstance(given, str) else ":".join(given)
    carried = (inputs.job.envvars or {}).get("ANSIBLE_ROLES_PATH")
    if not carried or inputs.envvars.get("ANSIBLE_ROLES_PATH") != str(carried):
        return None
    # transmit sends these paths relative to roles/, wherever that is on the worker
    return ":".join(os.path.join(private_data_dir, "roles", item) for item in str(carried).split(":"))  # noqa: PTH118 - an absolute item stays


def build_cwd(inputs: Inputs, env: Mapping[str, str], private_data_dir: Path) -> Path:
    """Return the working directory: the project for a playbook, the private data dir for a module."""
    project = Path(inputs.job.project_dir) if inputs.job.project_dir else private_data_dir / "project"
    if "AD_HOC_COMMAND_ID" in env or not project.is_dir():
        return private_data_dir
    return project
