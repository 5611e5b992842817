"""The callbacks of a job, and what they are told of it, with ansible-runner's names."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from receptor_runner.env_files import EnvFiles
from receptor_runner.errors import RunnerError
from receptor_runner.job import Job, check_ident
from receptor_runner.stream.messages import Event

EventHandler = Callable[[dict[str, Any]], Any]

_JOB_FIELDS = frozenset(entry.name for entry in fields(Job)) - {"ident", "settings", "artifact_dir"}
_PEER_NAMES = {"extra_vars": "extravars", "cmdline_args": "cmdline"}
"""Attributes of ansible-runner's config that do not bear the name of the job's option."""


@dataclass(kw_only=True)
class RunnerConfig:
    """What callbacks may want to know of the job, with the names of ansible-runner's runner config.

    Beside the attributes below it has those of all options of the job, such as `playbook`, `inventory`, `limit` and
    `extra_vars`; they are None where the call does not name them.

    Attributes:
        private_data_dir: an absolute path.
        artifact_dir: an absolute path.
        ident: the job's name, if it has one.
        job: what the call says of the job; the stream that `process` reads does not tell.
        settings: the settings of the call; those of `env/settings` are added for plugins.
        command: what the worker runs. This, `cwd` and `env` are known once the worker has started the job.
        cwd: where it runs, on the worker.
        env: its environment, with values that may be secret redacted.
    """

    private_data_dir: str
    artifact_dir: str
    ident: str | None = None
    job: Job = field(default_factory=Job)
    settings: dict[str, Any] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    cwd: str | None = None
    env: dict[str, str] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        """Return an option of the job."""
        option = _PEER_NAMES.get(name, name)
        if option not in _JOB_FIELDS:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self.job, option)

    @property
    def envvars(self) -> dict[str, Any]:
        """The environment variables that the call adds."""
        return self.job.envvars or {}

    @property
    def fact_cache(self) -> str:
        """The directory of the fact cache."""
        name = self.settings.get("fact_cache") or self.job.fact_cache or "fact_cache"
        return os.path.join(self.artifact_dir, str(name))  # noqa: PTH118 - a text, as in ansible-runner

    @property
    def job_timeout(self) -> float | None:
        """Seconds after which the job is stopped."""
        return self.job.timeout or self.settings.get("job_timeout")

    @property
    def idle_timeout(self) -> float | None:
        """Seconds of silence after which the job is stopped."""
        return self.settings.get("idle_timeout")

    @property
    def suppress_output_file(self) -> bool:
        """Whether the job has no artifact `stdout`: what the settings say, else the option."""
        settings, root = self.settings, Path(self.private_data_dir)
        with contextlib.suppress(RunnerError):  # the worker, which reads the same file, reports it
            settings = EnvFiles(root=root, shown=root).settings(settings)
        chosen = settings.get("suppress_output_file")
        return bool(self.job.suppress_output_file if chosen is None else chosen)


def runner_config(
    private_data_dir: Path, ident: str | None, artifact_dir: Path | None = None
) -> RunnerConfig:
    """Return the config of a job.

    Args:
        private_data_dir: it need not exist.
        ident: the directory below `artifacts/`; without one, artifacts go to `artifacts/` itself.
        artifact_dir: another place, instead of `artifacts/<ident>`.

    Source: the places that ansible-runner's process chooses.
    """
    base = Path(os.path.abspath(private_data_dir))
    usual = base / "artifacts" / check_ident(ident) if ident else base / "artifacts"
    return RunnerConfig(
        private_data_dir=str(base),
        artifact_dir=os.path.abspath(artifact_dir or usual),
        ident=ident,
    )


def ignore(*_arguments: object, **_options: object) -> None:
    """Do nothing: the handler where none was given."""
    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """The callbacks of a job, with ansible-runner's names and arguments.

    Attributes:
        event_handler: takes an event; returns whether its file is to be kept. None keeps all.
        status_handler: takes a status line and, as `runner_config`, the config.
        artifacts_handler: takes the path of the artifacts directory, once its archive is extracted.
        display: takes the text of an event, to show it.
        observer: takes each event together with the line in which it came. It only looks: its result is ignored, and
            the event's file holds what came.
    """

    event_handler: EventHandler | None = None
    status_handler: Callable[..., Any] = ignore
    artifacts_handler: Callable[[str], Any] = ignore
    display: Callable[[str], Any] = ignore
    observer: Callable[[Event], Any] | None = None
