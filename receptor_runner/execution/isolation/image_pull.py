"""Pulls the image of a job before its container starts, with the registry login of the job."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from receptor_runner.execution.guardian_client import Program
from receptor_runner.execution.isolation.container_engine import Engine, call
from receptor_runner.execution.isolation.container_spec import Login

PULL = "pull"


class ImagePull:
    """The pull of one image.

    A step of its own, not part of `run`: so the login is gone before the job starts, `verify_ssl` is about this pull
    only, and a cancel meets a client that has no container yet.

    Args:
        engine: the engine.
        image: the image.
        policy: always, missing, never or newer.
        login: container_auth_data, if the job has one.

    Raises:
        ConfigError: the login is incomplete.
    """

    def __init__(self, engine: Engine, image: str, policy: str, login: Mapping[str, Any] | None) -> None:
        self._engine = engine
        self._image = image
        self._policy = policy
        self._login = Login.read(login, Path(engine.login_file)) if login else None
        self._null: int | None = None

    def program(self, directory: Path) -> Program | None:
        """Return the program that pulls the image, or None if the policy and the store say that none is needed.

        Args:
            directory: a private directory, for the login and for what the engine needs meanwhile.
        """
        if self._policy == "never" or (self._policy == "missing" and self._is_present()):
            return None
        login = self._login and self._login.written_below(directory / "login")
        env = dict(os.environ)
        if os.geteuid() == 0:  # a canceled pull leaves files there; a rootless engine keeps state there
            env["TMPDIR"] = str(directory)
        self._null = os.open(os.devnull, os.O_WRONLY)
        return Program(
            name=PULL,
            argv=self._engine.pull(self._image, login),
            env=env,
            cwd=directory,
            terminal=True,
            descriptors={1: self._null},  # it prints the image's id
        )

    def _is_present(self) -> bool:
        """Whether the image is there; an engine that cannot tell says why when it runs the container."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            return call(self._engine.has_image(self._image)) != 1
        return True

    def close(self, directory: Path) -> None:
        """Remove the login."""
        if self._login:
            (directory / "login" / self._engine.login_file).unlink(missing_ok=True)
        if self._null is not None:
            os.close(self._null)
            self._null = None
