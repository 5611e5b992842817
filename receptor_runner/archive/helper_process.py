"""A process of ours that helps with files: its start, and the pipes to it and back."""

from __future__ import annotations

import contextlib
import fcntl
import select
import subprocess
import sys
from pathlib import Path

import isal

from receptor_runner.archive.frames import write_all

_PROGRAM = Path(__file__).with_name("helper_program.py")
_PACKAGES = (str(Path(__file__).parents[2]), str(Path(isal.__file__).parents[1]))
_PIPE_SIZE = 1 << 20  # what waits in a pipe should keep neither end waiting


class HelperProcess:
    """Starts a process; where the system has none to give, or no descriptors, it is as if the process had ended.

    Args:
        module: the module whose function `serve` it runs.
        arguments: arguments of that.
        descriptor: it gets this one of ours; -1 for none.

    Attributes:
        answers: the descriptor of what it answers; -1 if it does not run.
        capacity: how many bytes of requests may wait for it before writing more would wait too.
    """

    def __init__(self, module: str, *arguments: int, descriptor: int = -1) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._requests = self.answers = -1
        self.capacity = 0
        self._poll = select.poll()
        with contextlib.suppress(OSError):
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_PROGRAM), *_PACKAGES, module, *map(str, arguments)],
                bufsize=0,
                pass_fds=(descriptor,) if descriptor >= 0 else (),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C at a terminal is for its parent
            )
            self._open_pipes(self._process)

    def _open_pipes(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin
        assert process.stdout
        self._requests, self.answers = process.stdin.fileno(), process.stdout.fileno()
        self._poll.register(self.answers, select.POLLIN)
        for descriptor in (self._requests, self.answers):
            with contextlib.suppress(OSError):  # the system allows a user so much for all pipes
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        self.capacity = fcntl.fcntl(self._requests, fcntl.F_GETPIPE_SZ)

    @property
    def is_running(self) -> bool:
        """Whether it was started, and is not closed."""
        return self._process is not None

    @property
    def has_answered(self) -> bool:
        """Whether there is something to read, or it has ended."""
        return bool(self._poll.poll(0))

    def request(self, frame: bytes) -> None:
        """Send a frame; if the process is gone its answers say so."""
        with contextlib.suppress(OSError):
            write_all(self._requests, frame)

    def end_requests(self) -> None:
        """Have it end once it has answered everything."""
        if self._process:
            assert self._process.stdin
            self._process.stdin.close()

    def close(self) -> None:
        """Close the pipes and wait for its end."""
        process, self._process = self._process, None
        if process:
            with process:
                pass
