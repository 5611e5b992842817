"""The directory through which a worker and a container talk: files of ours, and FIFOs."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from receptor_runner.errors import ConfigError
from receptor_runner.execution.command import CALLBACK_DIRECTORY, CALLBACK_NAME
from receptor_runner.execution.event_channel import EventChannel
from receptor_runner.execution.guardian_client import GuardianClient
from receptor_runner.execution.terminal import Terminal
from receptor_runner.system.claims import mark
from receptor_runner.system.directories import PREFIX

_START_SCRIPT = Path(__file__).with_name("inside") / "start.py"
_PIPE_SIZE = 1 << 16
_QUIET_MS = 20
_QUIET_LIMIT = 10


class JobDirectory:
    """A private directory; its part `mounted` is what the container sees, read-only.

    The parent has mode 0700. What is mounted can be read, and the FIFOs be written, by every user of the container,
    whatever uid it has here.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}container-"))
        mark(self.path)
        self.mounted = self.path / "mounted"
        self.mounted.mkdir()
        self.mounted.chmod(0o755)
        (self.mounted / "callback").mkdir()
        (self.mounted / "callback").chmod(0o755)
        # Copies: the engine relabels what it mounts where SELinux is on, which the package must be spared.
        _copy(_START_SCRIPT, self.mounted)
        _copy(CALLBACK_DIRECTORY / f"{CALLBACK_NAME}.py", self.mounted / "callback")
        for name, mode in (("events", 0o622), ("reports", 0o622), ("start", 0o644)):
            os.mkfifo(self.mounted / name)
            (self.mounted / name).chmod(mode)  # not by mkfifo, which heeds the umask
        self._start = self._open("start")
        self._reports = self._open("reports")
        self._received = b""
        self.reported: dict[str, Any] = {}

    def _open(self, name: str, mode: int = os.O_RDWR) -> int:
        # For reading and writing: neither end ever blocks for the other, and there is never an end of file for us.
        return os.open(self.mounted / name, mode | os.O_NONBLOCK)

    def watch(self, guardian: GuardianClient) -> None:
        """Tell the guardian: if we die it ends the container, which lives until then, and removes the directory."""
        guardian.remove_on_exit(self.path)
        guardian.hold(self._start)

    def write_variables(self, variables: Mapping[str, str]) -> None:
        """Pass the job's environment to the container; it is in the kernel's memory only, never in a file.

        Raises:
            ConfigError: it is larger than a pipe can be.
        """
        line = json.dumps({"env": dict(variables)}).encode("ascii") + b"\n"
        try:
            if len(line) > _PIPE_SIZE:
                fcntl.fcntl(self._start, fcntl.F_SETPIPE_SZ, len(line))
            written = os.write(self._start, line)
        except OSError as error:
            raise _too_large(len(line), error.strerror) from error
        if written < len(line):
            raise _too_large(len(line), f"the pipe took {written} bytes")

    def take_reports(self) -> Mapping[str, Any]:
        """Return everything that the container has reported so far."""
        with contextlib.suppress(BlockingIOError):
            self._received += os.read(self._reports, _PIPE_SIZE)
        *lines, self._received = self._received.split(b"\n")
        for line in lines:
            self.reported.update(json.loads(line))
        return self.reported

    def open_channel(self) -> ContainerChannel:
        """Open the channel on which the callback plugin sends its events."""
        return ContainerChannel(self, self._open("events"), self._open("events", os.O_WRONLY))

    def close(self) -> None:
        """Remove the directory; a container that still runs ends."""
        for descriptor in (self._start, self._reports):
            os.close(descriptor)
        shutil.rmtree(self.path, ignore_errors=True)


def _copy(source: Path, directory: Path) -> None:
    Path(shutil.copyfile(source, directory / source.name)).chmod(0o644)


def _too_large(size: int, cause: str | None) -> ConfigError:
    return ConfigError(
        f"the job's environment variables take {size} bytes, more than can be passed to a container",
        cause=cause,
        hint="put large values into files of the project",
    )


class ContainerChannel(EventChannel):
    """A FIFO in a directory that the container sees.

    The terminal that we see is the engine's; what the job does with its own is reported from inside.
    """

    def __init__(self, directory: JobDirectory, reader: int, writer: int) -> None:
        super().__init__(reader, writer)
        self._directory = directory

    @property
    def descriptors(self) -> Mapping[int, int]:
        """Nothing is inherited: engines do not pass descriptors on."""
        return {}

    def read_with_text(self, terminal: Terminal) -> tuple[list[dict[str, Any]], str]:
        """Return the messages that are complete now, and the text that was written before them.

        Events come straight, text through the engine: so we wait until no more text comes. A prompt may have followed
        another event in the meantime, so events are read once more.
        """
        messages = self.read()
        text = "".join(_until_quiet(terminal)) if messages else ""
        return [*messages, *(self.read() if messages else ())], text

    def reads_keys(self, terminal: Terminal) -> bool:
        """Whether the job takes single keys."""
        return bool(self._directory.take_reports().get("reads_keys"))

    def awaits_input(self, terminal: Terminal, ancestor: int) -> bool:
        """Whether a process of the job is blocked in reading its terminal."""
        return bool(self._directory.take_reports().get("awaits_input"))


def _until_quiet(terminal: Terminal) -> Iterator[str]:
    waiting = select.poll()
    waiting.register(terminal.master, select.POLLIN)
    for _attempt in range(_QUIET_LIMIT):
        if not waiting.poll(_QUIET_MS):
            return
        yield terminal.read()
