"""Finding, counting and killing processes; the census that shows that nothing was left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.harness.waiting import wait_until

CENSUS = "RR_TEST_CENSUS"
HEADLESS = """
import ctypes, subprocess, threading
child = subprocess.Popen(["sleep", "600"])
threading.Thread(target=threading.Event().wait).start()
print(child.pid, flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


def default_signals() -> None:
    """Take back ignored signals, which a background job of a shell hands down to every process below it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for ignored in (signal.SIGQUIT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_DFL)


def is_running(pid: int) -> bool:
    """Whether a process exists and has not ended; a zombie has."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def processes_of(directory: Path | str) -> list[psutil.Process]:
    """Return the running processes that name a directory in their command line, or work in it."""
    return [process for process in psutil.process_iter() if _belongs_to(process, str(directory))]


def _belongs_to(process: psutil.Process, directory: str) -> bool:
    try:
        if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        return any(directory in text for text in (*process.cmdline(), process.cwd()))
    except psutil.Error:  # it ended while we looked
        return False


def kill_processes_of(directory: Path) -> None:
    """Kill every process that names a directory in its command line, or works in it."""
    for process in processes_of(directory):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
            process.wait(10)


@dataclass(frozen=True, slots=True)
class Census:
    """Knows the processes that a test started by a variable in their environment, wherever they have moved."""

    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def variables(self) -> dict[str, str]:
        """The variable that makes a process and its descendants count."""
        return {CENSUS: self.mark}

    @property
    def found(self) -> dict[int, str]:
        """The running processes that carry the mark: their command lines by process id."""
        entry = f"{CENSUS}={self.mark}".encode()
        living = {}
        for directory in Path("/proc").iterdir():
            if directory.name.isdigit() and int(directory.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if entry in (directory / "environ").read_bytes().split(b"\0"):
                        words = (directory / "cmdline").read_bytes().replace(b"\0", b" ")
                        living[int(directory.name)] = words.decode(errors="replace").strip()
        return {pid: words for pid, words in living.items() if words}

    def holding(self, text: str) -> list[int]:
        """Return the processes that have a text in their command line."""
        return [pid for pid, words in self.found.items() if text in words]

    def check_empty(self) -> None:
        """Check that no process is left, or that the last one ends within a moment."""
        wait_until(lambda: not self.found, f"these have ended: {self.found}", 15)

    def kill(self) -> None:
        """Kill what is left."""
        for pid in self.found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Headless:
    """A process with a child, whose first thread has ended while another one lives: the kernel calls it a zombie."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", HEADLESS], stdout=subprocess.PIPE)
        assert self._process.stdout
        self.pid = self._process.pid
        self.child = int(self._process.stdout.readline())
        wait_until(lambda: psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE, "it shows as a zombie")

    def kill(self) -> None:
        """Kill it and its child; it stays a zombie until `close`."""
        for pid in (self.child, self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        wait_until(lambda: not is_running(self.child), "its child is gone")

    def close(self) -> None:
        """Kill and reap it."""
        self.kill()
        self._process.communicate()
