"""A pseudo terminal: what a job prints, and what is typed into it."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import struct
import termios
from pathlib import Path

from receptor_runner.execution.guardian import descendants

ROWS, COLUMNS = 24, 80
_CHUNK = 1 << 16
_READS = 64
_READ_CALLS = frozenset({"0", "3", "63"})
"""The number of read(2): x86_64, 32 bit machines, arm64 and newer ones."""


class Terminal:
    """A terminal of 24 rows and 80 columns that does not echo; ansible-runner uses the same size."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        os.set_blocking(self.master, False)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        settings = termios.tcgetattr(self.slave)
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(self.slave, termios.TCSANOW, settings)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read(self) -> str:
        """Return the text that is available, at most 4 MiB of it; empty if there is none."""
        parts = []
        for _ in range(_READS):
            data = self._available()
            if not data:
                break
            parts.append(data)
        return self._decoder.decode(b"".join(parts))

    def _available(self) -> bytes:
        with contextlib.suppress(BlockingIOError):
            return os.read(self.master, _CHUNK)
        return b""

    def type(self, line: str) -> None:
        """Type a line, and Enter."""
        os.write(self.master, line.encode("utf-8", "surrogateescape") + b"\n")

    @property
    def reads_keys(self) -> bool:
        """Whether the program reads single keys rather than whole lines, as Ansible's `pause` does."""
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    @property
    def name(self) -> str:
        """The path of the terminal."""
        return os.ttyname(self.slave)

    def close(self) -> None:
        """Close the descriptors."""
        os.close(self.master)
        os.close(self.slave)


def reads_terminal(ancestor: int, terminal: str) -> bool:
    """Return whether a process is blocked in a read from a terminal.

    Args:
        ancestor: the process below which to look.
        terminal: the path of the terminal, as `os.ttyname` gives it.
    """
    return any(_reads(pid, {terminal, "/dev/tty"}) for pid in descendants(ancestor))


def _reads(pid: int, terminals: set[str]) -> bool:
    # The process may be gone, or belong to another user.
    with contextlib.suppress(OSError, IndexError, ValueError):
        call, descriptor = Path(f"/proc/{pid}/syscall").read_text().split()[:2]
        return call in _READ_CALLS and os.readlink(f"/proc/{pid}/fd/{int(descriptor, 16)}") in terminals
    return False
