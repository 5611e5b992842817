"""Runs a job's command inside a container; the first process there, or the child of the image's entrypoint.

It runs in whatever Python the image has (3.8 and newer, standard library only), with the command as its arguments.
Three FIFOs lie beside it:

    start    One line of JSON with the job's environment comes first, and nothing after it. The worker and its guardian
             hold the writing end: the end of file says that both are gone, and then the container ends too.
    reports  Lines of JSON about what the worker cannot see from outside: that the command starts, how the terminal
             is read, how the command ended, how many processes were killed for lack of memory.
    events   is for the callback plugin.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import sys
import termios
import time
from pathlib import Path
from typing import Any, NoReturn

TICK_MS = 100
SCAN_S = 1.0
RC_WORKER_GONE = 137
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
READ_CALLS = ("0", "3", "63")
OOM_COUNTERS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")


def read_variables(start: int) -> dict[str, str]:
    """Return the job's environment; end if the worker is gone before it is complete."""
    data = b""
    waiting = select.poll()
    waiting.register(start, select.POLLIN)
    while not data.endswith(b"\n"):
        waiting.poll()
        part = os.read(start, 1 << 16)
        if not part:
            os._exit(RC_WORKER_GONE)
        data += part
    variables: dict[str, str] = json.loads(data)["env"]
    return variables


def oom_kills() -> int:
    """Return how many processes of this control group the kernel has killed for lack of memory."""
    for path in OOM_COUNTERS:
        with contextlib.suppress(OSError, ValueError), open(path) as counters:
            for line in counters:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


def silence_terminal() -> None:
    """Switch the echo off: what is typed are answers, which must not show up in the output."""
    with contextlib.suppress(termios.error):
        settings = termios.tcgetattr(0)
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(0, termios.TCSANOW, settings)


def reads_keys() -> bool:
    """Return whether the terminal gives single keys, not lines."""
    with contextlib.suppress(termios.error):
        return not termios.tcgetattr(0)[3] & termios.ICANON
    return False


def awaits_input() -> bool:
    """Return whether a process here is blocked in reading the terminal."""
    with contextlib.suppress(OSError):
        terminals = {os.ttyname(0), "/dev/tty", "/dev/console"}
        return any(_reads(entry, terminals) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return False


def _reads(process: Path, terminals: set[str]) -> bool:
    with contextlib.suppress(OSError, ValueError, IndexError):
        call, descriptor = (process / "syscall").read_text().split()[:2]
        return call in READ_CALLS and os.readlink(process / "fd" / str(int(descriptor, 16))) in terminals
    return False


class Supervisor:
    """Starts the command, passes signals on, reports, and ends everything with it."""

    def __init__(self, start: int, reports: int, command: list[str]) -> None:
        self._start = start
        self._reports = reports
        self._command = command
        self._told: dict[str, Any] = {}
        self._scan_at = 0.0
        self._oom_kills = oom_kills()
        self._child = 0

    def run(self, variables: dict[str, str]) -> NoReturn:
        """Run the command to its end, and exit as it did."""
        wakeup = self._catch_signals()
        self._report(started=True)
        silence_terminal()
        self._child = os.fork()
        if self._child == 0:
            self._become(dict(os.environ, **variables))
        with contextlib.suppress(OSError):  # the child does it too: whoever is first
            os.setpgid(self._child, self._child)
        waiting = select.poll()
        waiting.register(self._start, select.POLLIN)
        waiting.register(wakeup, select.POLLIN)
        while True:
            ready = dict(waiting.poll(TICK_MS))
            if wakeup in ready:
                os.read(wakeup, 1 << 12)
            if self._start in ready and not os.read(self._start, 1 << 12):
                self._give_up()
            self._reap()
            self._look_at_terminal()

    def _catch_signals(self) -> int:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for number in FORWARDED:
            signal.signal(number, self._forward)
        return reader

    def _forward(self, number: int, _frame: Any) -> None:
        # The command has a process group of its own, the terminal's foreground: Ctrl-C reaches it without us, and a
        # signal that the engine sends to the first process reaches it just once.
        if self._child:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child, number)

    def _become(self, environment: dict[str, str]) -> NoReturn:
        try:
            os.setpgid(0, 0)
            signal.signal(
                signal.SIGTTOU, signal.SIG_IGN
            )  # else a background process is stopped by the next line
            with contextlib.suppress(OSError):
                os.tcsetpgrp(0, os.getpid())
            for number in (*FORWARDED, signal.SIGTTOU, signal.SIGCHLD, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            os.execvpe(self._command[0], self._command, environment)  # noqa: S606 - argv, never a shell
        except OSError as error:
            sys.stderr.write(f"The command was not found or was not executable: {self._command[0]}.\n")
            sys.stderr.flush()
            os._exit(127 if error.errno == errno.ENOENT else 126)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._child:
                    self._exit(status)

    def _exit(self, status: int) -> NoReturn:
        code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        self._report(exited=code, oom_kills=oom_kills() - self._oom_kills)
        os._exit(code)

    def _give_up(self) -> NoReturn:
        if os.getpid() == 1:
            os._exit(RC_WORKER_GONE)  # all others end with the first process
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child, signal.SIGKILL)
        os._exit(RC_WORKER_GONE)

    def _look_at_terminal(self) -> None:
        now = time.monotonic()
        seen: dict[str, Any] = {"reads_keys": reads_keys()}
        if now >= self._scan_at:
            self._scan_at = now + SCAN_S
            seen["awaits_input"] = awaits_input()
        news = {name: value for name, value in seen.items() if self._told.get(name, False) != value}
        if news:
            self._told.update(news)
            self._report(**news)

    def _report(self, **report: Any) -> None:
        with contextlib.suppress(OSError):
            os.write(self._reports, json.dumps(report).encode() + b"\n")


def main() -> NoReturn:
    """Run the command that the arguments name."""
    directory = Path(__file__).absolute().parent
    start = os.open(directory / "start", os.O_RDONLY | os.O_NONBLOCK)
    reports = os.open(directory / "reports", os.O_WRONLY | os.O_NONBLOCK)
    Supervisor(start, reports, sys.argv[1:]).run(read_variables(start))


if __name__ == "__main__":
    main()
