"""An ssh-agent for one job; it gets the job's private key through a pipe."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from receptor_runner.artifacts import CERTIFICATE_NAME, KEY_NAME
from receptor_runner.errors import MissingInput, WorkerFailed
from receptor_runner.execution.guardian_client import GuardianClient, Program
from receptor_runner.system.claims import claimed
from receptor_runner.system.directories import PREFIX
from receptor_runner.system.files import remove_tree
from receptor_runner.system.sockets import MAX_ADDRESS_BYTES

_SOCKET_NAME = "agent"
_DIRECTORY_PREFIX = f"{PREFIX}agent-"
_START_LIMIT_S = 10.0
_PAUSE_S = 0.02


class SshAgent:
    """An agent that holds its keys in memory only; the guardian kills it, whatever happens to the worker.

    Args:
        env: the environment of the job, in which ssh-agent and ssh-add are found.
        certificate: the signed certificate of the key, if the file exists; the agent offers both.

    Raises:
        MissingInput: there is no ssh-agent, or no directory for its socket.
    """

    def __init__(self, env: Mapping[str, str], certificate: Path) -> None:
        for program in ("ssh-agent", "ssh-add"):
            if shutil.which(program, path=env.get("PATH")) is None:
                raise MissingInput(
                    f"the job has an ssh_key, but {program} is not on its PATH",
                    hint="install the OpenSSH client on this node",
                )
        self.directory = _make_directory()
        self._claim = ExitStack()
        self._claim.enter_context(claimed(self.directory))
        self._certificate = certificate if certificate.is_file() else None
        self._env = {**env, "SSH_AUTH_SOCK": str(self._socket)}

    @property
    def _socket(self) -> Path:
        return self.directory / _SOCKET_NAME

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that lead ssh to the agent."""
        return {"SSH_AUTH_SOCK": str(self._socket)}

    def start(self, guardian: GuardianClient) -> None:
        """Start the agent and wait until it answers.

        Raises:
            WorkerFailed: it does not answer.
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
                raise WorkerFailed(
                    "ssh-agent does not answer", cause=f"nothing accepts connections on {self._socket}"
                )
            time.sleep(_PAUSE_S)

    def _answers(self) -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(self._socket))
            return True
        return False

    @contextmanager
    def adding(self, key: str) -> Iterator[Program]:
        """Provide the program that adds the key, which it reads from a pipe: the key is never in a file."""
        reader, writer = os.pipe()
        try:
            with open(writer, "wb") as pipe:
                pipe.write(key.rstrip("\n").encode("utf-8", "surrogateescape") + b"\n")
            yield self._program("ssh-add", ("ssh-add", self._key_argument()), {0: reader})
        finally:
            os.close(reader)

    def _key_argument(self) -> str:
        """Return where ssh-add reads the key: its standard input.

        It looks for a certificate beside a key file only. So with a certificate it gets the name of a link that leads
        to its standard input, and finds the certificate beside that link.
        """
        if self._certificate is None:
            return "-"
        link = self.directory / KEY_NAME
        link.symlink_to("/proc/self/fd/0")
        (self.directory / CERTIFICATE_NAME).symlink_to(self._certificate)
        return str(link)

    def _program(self, name: str, argv: tuple[str, ...], descriptors: Mapping[int, int]) -> Program:
        return Program(
            name=name, argv=argv, env=self._env, cwd=self.directory, terminal=False, descriptors=descriptors
        )

    def remove(self) -> None:
        """Remove the agent's directory; the agent itself ends with the guardian."""
        self._claim.close()
        remove_tree(self.directory)


def _make_directory() -> Path:
    """Return a new directory for the socket: below the temporary directory, else below the user's runtime directory.

    Raises:
        MissingInput: neither can be written and has a path that is short enough for a socket.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    with suppress(OSError):  # gettempdir finds no directory that can be written
        if (directory := _directory_in(tempfile.gettempdir())) is not None:
            return directory
    if runtime and (directory := _directory_in(runtime)) is not None:
        return directory
    raise MissingInput(
        "no directory for the socket of ssh-agent",
        cause="neither TMPDIR nor XDG_RUNTIME_DIR can be written and has a short path",
        hint="TMPDIR=/a/short/path receptor-runner ...",
    )


def _directory_in(parent: str) -> Path | None:
    example = os.path.join(parent, f"{_DIRECTORY_PREFIX}12345678", _SOCKET_NAME)  # noqa: PTH118 - only its length counts
    # A runtime directory of somebody else stays in the environment after `sudo` or `su`.
    if len(os.fsencode(example)) <= MAX_ADDRESS_BYTES and os.access(parent, os.W_OK | os.X_OK):
        with suppress(OSError):
            return Path(tempfile.mkdtemp(prefix=_DIRECTORY_PREFIX, dir=parent))
    return None
