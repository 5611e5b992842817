"""The worker's client of the guardian: starts processes, stops them, and reports how they ended."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from receptor_runner.errors import RunnerError
from receptor_runner.execution.guardian import (
    KILL_LIMIT_S,
    KILL_PAUSE_S,
    adopts_orphans,
    descendants,
    send_signal,
)

_SCRIPT = Path(__file__).with_name("guardian.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class StopBelow:
    """A program is stopped by interrupting what it runs: a wrapper that would die of the signal and kill the rest."""

    below: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopContainer:
    """A program is stopped through its container engine.

    Attributes:
        interrupt: the command that interrupts what runs in the container.
        remove: the command that ends and removes the container, whatever state it is in; it may be gone already.
        reclaim: the command, without its last argument, that makes a directory's files ours; empty if none is needed.
    """

    interrupt: tuple[str, ...]
    remove: tuple[str, ...]
    reclaim: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program to start.

    Attributes:
        name: its name in reports; `job` is what `stop` stops, all others are helpers.
        argv: program and arguments; the program is looked up on the PATH of `env`.
        env: its whole environment.
        cwd: its working directory.
        terminal: make descriptor 2 its controlling terminal.
        descriptors: our descriptors that it inherits, by their numbers in the program.
        stop: how it is stopped, if not by signals to its processes.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    terminal: bool
    descriptors: Mapping[int, int]
    stop: StopBelow | StopContainer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a program ended: with a code, or killed by a signal."""

    name: str
    code: int

    @property
    def signal_name(self) -> str | None:
        """The name of the signal that killed it, if one did."""
        return signal.Signals(-self.code).name if self.code < 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A stop is complete.

    Attributes:
        left: processes that could not be killed.
        undone: the command that could not remove the container, empty if there is none left.
    """

    left: Sequence[int]
    undone: Sequence[str]


class GuardianClient:
    """Starts a guardian process and talks to it.

    Create it before there is anything to guard. If this process dies without closing it, or an exception ends its
    `with` block, the guardian kills every process of the job and removes the temporary directories within seconds. If
    the guardian itself is killed, a worker that adopts orphans kills them instead.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_SCRIPT), str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._socket = ours
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon()

    def fileno(self) -> int:
        """Return a descriptor that is readable when a report has arrived."""
        return self._socket.fileno()

    @property
    def pid(self) -> int:
        """The process id of the guardian, the ancestor of all processes of the job."""
        return self._process.pid

    def remove_on_exit(self, directory: Path) -> None:
        """Register a directory that the guardian removes if this process dies."""
        self._request({"do": "remove_on_exit", "path": str(directory)})

    def job_is_over(self) -> None:
        """Have what the job left running on purpose left alone, even if this process dies from now on."""
        with contextlib.suppress(RunnerError):
            self._request({"do": "over"})

    def hold(self, descriptor: int) -> None:
        """Keep a descriptor open for as long as the guardian lives."""
        self._request({"do": "hold"}, [descriptor])

    def spawn(self, program: Program) -> int:
        """Start a program; return its process id.

        Raises:
            OSError: it cannot be started; `filename` is the program, or its working directory.
            RunnerError: the guardian is gone.
        """
        request = {
            "do": "spawn",
            "name": program.name,
            "argv": list(program.argv),
            "env": dict(program.env),
            "cwd": str(program.cwd),
            "terminal": program.terminal,
            "descriptors": list(program.descriptors),
            "stop": dataclasses.asdict(program.stop) if program.stop else None,
        }
        self._request(request, list(program.descriptors.values()))
        answer = self._answer(program.name)
        if "errno" in answer:
            raise OSError(answer["errno"], os.strerror(answer["errno"]), answer["path"])
        return int(answer["pid"])

    def stop(self) -> None:
        """Start to stop the job; a `Stopped` report follows once its last process is gone."""
        self._request({"do": "stop"})

    @property
    def has_report(self) -> bool:
        """Whether a report was read already: `fileno()` does not become readable for it again."""
        return b"\n" in self._buffer

    def reports(self) -> Iterator[Exit | Stopped]:
        """Yield the reports that have arrived; block only if there is none."""
        line: dict[str, Any] | None = self._line()
        while line is not None:
            if (report := _report(line)) is not None:
                yield report
            line = self._line() if self.has_report else None

    def close(self) -> None:
        """End the helpers and the guardian; asynchronous tasks of the job go on."""
        with contextlib.suppress(RunnerError):
            self._request({"do": "end"})
        self._abandon()

    def _abandon(self) -> None:
        """Close the connection: unless told to end, the guardian kills every process and removes the directories."""
        self._socket.close()
        if self._process.wait() and adopts_orphans():
            _kill_all_below()

    def _request(self, request: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        message = json.dumps(request).encode() + b"\n"
        try:
            sent = socket.send_fds(self._socket, [message], descriptors) if descriptors else 0
            self._socket.sendall(message[sent:])
        except OSError as error:
            raise _guardian_died() from error

    def _answer(self, name: str) -> Mapping[str, Any]:
        answer = self._line()
        while answer.get("name") != name:
            answer = self._line()
        return answer

    def _line(self) -> dict[str, Any]:
        while not self.has_report:
            data = self._receive()
            if not data:
                raise _guardian_died()
            self._buffer += data
        line, _newline, self._buffer = self._buffer.partition(b"\n")
        report: dict[str, Any] = json.loads(line)
        return report

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(1 << 16)
        except ConnectionError:
            return b""


def _kill_all_below() -> None:
    """Kill all descendants: after the death of the guardian they are our children."""
    limit = time.monotonic() + KILL_LIMIT_S
    while (tree := descendants(os.getpid())) and time.monotonic() < limit:
        send_signal(tree, signal.SIGKILL)
        time.sleep(KILL_PAUSE_S)


def _guardian_died() -> RunnerError:
    return RunnerError("the guardian of the job's processes died", cause="it was probably killed")


def _report(line: Mapping[str, Any]) -> Exit | Stopped | None:
    if "stopped" in line:
        return Stopped(left=line["left"], undone=line["undone"])
    if "exited" in line:
        return Exit(name=line["name"], code=os.waitstatus_to_exitcode(line["exited"]))
    return None
