"""One real daemon on this machine: its files, its start, its end."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.errors import MissingInput, NodeUnavailable, pasteable
from receptor_runner.mesh.bundle import node_files
from receptor_runner.mesh.local.processes import IN_DIRECTORY, STOP_TIMEOUT_S, reap
from receptor_runner.mesh.local.waiting import is_true_within
from receptor_runner.mesh.settings import CONFIG
from receptor_runner.system.processes import command_line, is_alive
from receptor_runner.system.signals import STOPPING
from receptor_runner.system.sockets import MAX_ADDRESS_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

BINARY_VARIABLE = "RECEPTOR_BIN"
START_TIMEOUT_S = 30.0
SOCKET = "control.sock"

_READY = b"Initialization complete"


def find_receptor() -> str:
    """Return the path of the receptor daemon: RECEPTOR_BIN, else the one on PATH.

    Raises:
        MissingInput: there is none.
    """
    wanted = os.environ.get(BINARY_VARIABLE)
    found = shutil.which(wanted or "receptor")
    if found:
        return str(Path(found).absolute())
    cause = f"{BINARY_VARIABLE} is `{wanted}`, which cannot be run" if wanted else "it is not on PATH"
    raise MissingInput(
        "the receptor daemon is not found",
        cause=cause,
        hint=f"install Receptor, or name the program: {BINARY_VARIABLE}=/path/to/receptor",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """One receptor daemon and its files.

    Args:
        name: its node id.
        directory: where its config, socket, log, process id and units are.
        environment: the environment of the daemon and of what it runs; None for that of this process.
    """

    name: str
    directory: Path
    environment: Mapping[str, str] | None = None

    @property
    def config(self) -> Path:
        """The receptor.yml it runs."""
        return node_files(self.directory.parent, self.name) / CONFIG

    @property
    def socket(self) -> Path:
        """Its control socket, of any length."""
        return self.directory / SOCKET

    @property
    def socket_in_config(self) -> str:
        """Its control socket as its receptor.yml names it.

        The daemon cannot bind a path that is too long for a socket's address. It works in its own directory, so that it
        can reach the socket through that.
        """
        is_short = len(os.fsencode(self.socket)) <= MAX_ADDRESS_BYTES
        return str(self.socket) if is_short else f"/proc/self/cwd/{SOCKET}"

    @property
    def datadir(self) -> Path:
        """Where it keeps its units, below a directory of its node id."""
        return self.directory / "units"

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.directory / "receptor.log"

    @property
    def pid(self) -> int:
        """The process id it was last started with; 0 if it was never started."""
        try:
            return int(self._pid_file.read_text())
        except (OSError, ValueError):
            return 0

    @property
    def _pid_file(self) -> Path:
        return self.directory / "pid"

    def start(self, *options: str) -> None:
        """Start it in a session of its own, so that it outlives us; wait until it serves.

        Args:
            options: further words of its command line.

        Raises:
            MissingInput: the program is not installed.
            NodeUnavailable: it ended, or it takes too long.
        """
        self._await_end(self.pid)
        read_before = self.log.stat().st_size if self.log.exists() else 0
        pid = self._spawn([find_receptor(), *options])
        self._pid_file.write_text(f"{pid}\n")

        def serves() -> bool:
            # Not is_running(): a process that is becoming another program has no command line for a moment.
            if not is_alive(pid):
                raise self._ended()
            return _READY in self.log.read_bytes()[read_before:]

        if not is_true_within(START_TIMEOUT_S, serves):
            raise NodeUnavailable(
                f"node `{self.name}` does not start",
                cause=f"it has not said that it is ready for {START_TIMEOUT_S:g} s",
                hint=pasteable("cat", self.log),
            )

    def _spawn(self, program: list[str]) -> int:
        # Not subprocess: its objects warn of a process that outlives them, as a daemon is meant to. posix_spawn cannot
        # change the directory, so that a shell does, and then becomes the daemon.
        words = ["/bin/sh", "-c", IN_DIRECTORY, str(self.directory), *program, "--config", str(self.config)]
        environment = os.environ if self.environment is None else self.environment
        log = (os.POSIX_SPAWN_OPEN, 1, str(self.log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        both = (os.POSIX_SPAWN_DUP2, 1, 2)
        return os.posix_spawn(
            words[0],
            words,
            environment,
            file_actions=[nothing, log, both],
            setsid=True,
            setsigmask=[],
            # A shell's background job ignores Ctrl-C, and hands that down to all that it starts.
            setsigdef=STOPPING,
        )

    def check_running(self) -> None:
        """Check that it has not ended.

        Raises:
            NodeUnavailable: it has; the cause is the last line of its log.
        """
        if not self.is_running():
            raise self._ended()

    def _ended(self) -> NodeUnavailable:
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return NodeUnavailable(
            f"node `{self.name}` ended",
            cause=lines[-1] if lines else "it printed nothing",
            hint=pasteable("cat", self.log),
        )

    def is_running(self) -> bool:
        """Return whether the process that it was last started with is running."""
        # After a reboot or a long time, the process id may be another process's.
        return is_alive(self.pid) and str(self.config) in command_line(self.pid)

    def stop(self, signal_number: int = signal.SIGTERM) -> None:
        """End the daemon alone, as a crash or a restart would; its jobs go on.

        Raises:
            NodeUnavailable: it does not end.
        """
        pid = self.pid
        if self.is_running():
            os.kill(pid, signal_number)
            if not is_true_within(STOP_TIMEOUT_S, lambda: not is_alive(pid)):
                raise NodeUnavailable(f"node `{self.name}` does not stop", hint=f"kill -KILL {pid}")
        reap(pid)

    @staticmethod
    def _await_end(pid: int) -> None:
        """Wait for a former process that is ending: it has no command line any more, but still locks its socket."""
        is_true_within(STOP_TIMEOUT_S, lambda: not is_alive(pid) or command_line(pid) != [])
        reap(pid)
