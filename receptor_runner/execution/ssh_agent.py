"""An ssh-agent for the time of one job, to which the job's private key is given through a pipe."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from receptor_runner.errors import MissingInput, WorkerFailed
from receptor_runner.execution.guardian_client import GuardianClient, Program

_START_LIMIT_S = 10.0
_PAUSE_S = 0.02


class SshAgent:
    """An agent that holds its keys in memory only; the guardian kills it, whatever happens to the worker.

    Args:
        env: the environment of the job, in which ssh-agent and ssh-add are found.

    Raises:
        MissingInput: there is no ssh-agent.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        for program in ("ssh-agent", "ssh-add"):
            if shutil.which(program, path=env.get("PATH")) is None:
                raise MissingInput(
                    f"the job has an ssh_key, but {program} is not found on its PATH",
                    hint="install OpenSSH's client on this node",
                )
        # short, since the path of a socket is limited to 108 bytes
        self.directory = Path(tempfile.mkdtemp(prefix="rr-agent-", dir="/tmp"))
        self._env = {**env, "SSH_AUTH_SOCK": str(self._socket)}

    @property
    def _socket(self) -> Path:
        return self.directory / "agent"

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables by which ssh finds the agent."""
        return {"SSH_AUTH_SOCK": str(self._socket)}

    def start(self, guardian: GuardianClient) -> None:
        """Start the agent and wait until it answers.

        Raises:
            WorkerFailed: it does not come up.
        """
        guardian.remove_on_exit(self.directory)
        null = os.open(os.devnull, os.O_RDWR)
        try:
            argv = ("ssh-agent", "-D", "-a", str(self._socket))
            guardian.spawn(self._program("ssh-agent", argv, {0: null, 1: null, 2: null}))
        finally:
            os.close(null)
        limit = time.monotonic() + _START_LIMIT_S
        while not self._answers():
            if time.monotonic() > limit:
                raise WorkerFailed("ssh-agent does not come up", cause=f"nothing answers on {self._socket}")
            time.sleep(_PAUSE_S)

    def _answers(self) -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(self._socket))
            return True
        return False

    @contextmanager
    def adding(self, key: str) -> Iterator[Program]:
        """Provide the program that adds the key, with the key in its standard input."""
        reader, writer = os.pipe()
        try:
            with open(writer, "wb") as pipe:
                pipe.write(key.rstrip("\n").encode("utf-8", "surrogateescape") + b"\n")
            yield self._program("ssh-add", ("ssh-add", "-"), {0: reader})
        finally:
            os.close(reader)

    def _program(self, name: str, argv: tuple[str, ...], descriptors: Mapping[int, int]) -> Program:
        return Program(
            name=name, argv=argv, env=self._env, cwd=self.directory, terminal=False, descriptors=descriptors
        )

    def remove(self) -> None:
        """Remove the agent's directory; the agent itself ends with the guardian."""
        shutil.rmtree(self.directory, ignore_errors=True)
