"""Whom a phase tells what, and what it says of the job, with ansible-runner's names."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from receptor_runner.job import check_ident

EventHandler = Callable[[dict[str, Any]], Any]


@dataclass(slots=True, kw_only=True)
class RunnerConfig:
    """What handlers may want to know of the job, with the names of ansible-runner's runner config.

    `command`, `cwd` and `env` are known once the worker has said that it starts.
    """

    private_data_dir: str
    artifact_dir: str
    ident: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    cwd: str | None = None
    env: dict[str, str] = field(default_factory=dict)


def runner_config(
    private_data_dir: Path, ident: str | None, artifact_dir: Path | None = None
) -> RunnerConfig:
    """Return the config of a job whose artifacts go to the usual place.

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


def _nothing(*_arguments: object, **_options: object) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """Whom to tell what, with ansible-runner's names and arguments.

    Attributes:
        event_handler: takes an event; returns whether its file is to be kept. None keeps all.
        status_handler: takes a status line and, as `runner_config`, the config.
        artifacts_handler: takes the artifacts directory's path once its archive is extracted.
        display: takes the text of an event, to show it.
    """

    event_handler: EventHandler | None = None
    status_handler: Callable[..., Any] = _nothing
    artifacts_handler: Callable[[str], Any] = _nothing
    display: Callable[[str], Any] = _nothing
