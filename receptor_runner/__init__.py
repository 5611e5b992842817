"""Run Ansible jobs through a Receptor mesh and bring the results home.

`run` and `run_async` take ansible-runner's arguments; `RunnerError` is the root of every error. Importing this package
loads next to nothing and changes nothing in the process.

For pytest: PYTEST_DONT_REWRITE, because a program may import this package before it starts pytest, which then warns.
"""

from __future__ import annotations

from receptor_runner._version import __version__

TYPE_CHECKING = (
    False  # importing typing would cost more than all the rest, at the start of every command runner
)
if TYPE_CHECKING:
    from typing import Any

    from receptor_runner import exceptions, interface
    from receptor_runner.api import run, run_async
    from receptor_runner.errors import (
        ArchiveError,
        ConfigError,
        ContactLost,
        IdentExists,
        InputFailed,
        Interrupted,
        MissingInput,
        NeverStarted,
        NodeUnavailable,
        OutputFailed,
        Rejected,
        RunnerError,
        StreamError,
        UnknownUnit,
        Unreachable,
        UsageError,
        WorkerFailed,
    )
    from receptor_runner.job import Job
    from receptor_runner.outcome import Outcome, Status
    from receptor_runner.runner import Runner

_MODULES = frozenset({"exceptions", "interface"})
_HOMES = {
    "api": ("run", "run_async"),
    "job": ("Job",),
    "outcome": ("Outcome", "Status"),
    "runner": ("Runner",),
}

__all__ = [
    "ArchiveError",
    "ConfigError",
    "ContactLost",
    "IdentExists",
    "InputFailed",
    "Interrupted",
    "Job",
    "MissingInput",
    "NeverStarted",
    "NodeUnavailable",
    "Outcome",
    "OutputFailed",
    "Rejected",
    "Runner",
    "RunnerError",
    "Status",
    "StreamError",
    "UnknownUnit",
    "Unreachable",
    "UsageError",
    "WorkerFailed",
    "__version__",
    "exceptions",
    "interface",
    "run",
    "run_async",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    home = next((module for module, names in _HOMES.items() if name in names), "errors")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return __all__
