"""What differs from container engine to container engine, and how one is called."""

from __future__ import annotations

import subprocess
import time
from typing import Protocol

from receptor_runner.execution.isolation.container_spec import ContainerSpec, Login

_LIMIT_S = 30.0
_AGAIN_S = 5.0
_PAUSE_S = 0.2


class Engine(Protocol):
    """What differs from engine to engine: command lines, and where a login is looked for."""

    @property
    def executable(self) -> str:
        """Its name or path."""

    @property
    def login_file(self) -> str:
        """The name of the file in which it looks for a login."""

    @property
    def variables(self) -> dict[str, str]:
        """Variables that each job has."""

    @property
    def reclaim(self) -> tuple[str, ...]:
        """The command, without its last word, that makes a directory's files ours; empty if they are."""

    def run(self, spec: ContainerSpec) -> tuple[str, ...]:
        """Return the command that runs a container."""

    def has_image(self, image: str) -> tuple[str, ...]:
        """Return the command that exits 0 if the image is there and 1 if not."""

    def pull(self, image: str, login: Login | None) -> tuple[str, ...]:
        """Return the command that pulls an image."""

    def interrupt(self, name: str) -> tuple[str, ...]:
        """Return the command that interrupts a container."""

    def remove(self, name: str) -> tuple[str, ...]:
        """Return the command that kills and removes a container at once, whatever state it is in."""


def call(argv: tuple[str, ...]) -> int:
    """Run a command of an engine in the worker's environment; return its exit status.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it takes too long; it was killed.
    """
    null = subprocess.DEVNULL
    return subprocess.run(
        argv, stdin=null, stdout=null, stderr=null, timeout=_LIMIT_S, check=False
    ).returncode


def call_until_done(argv: tuple[str, ...]) -> None:
    """Run a command of an engine again, for some seconds, until it succeeds.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it takes too long; it was killed.
    """
    deadline = time.monotonic() + _AGAIN_S
    while call(argv) and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
