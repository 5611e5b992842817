"""The worker's end of the guardian: starts processes through it, hears how they end, has them stopped."""

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
        name: how the guardian's reports call it; `job` is what a stop is about, all else are helpers.
        argv: program and arguments; the program is looked up on the PATH of `env`.
        env: its whole environment.
        cwd: its working directory.
        terminal: whether descriptor 2 becomes its controlling terminal.
        descriptors: which descriptor of ours it gets, by the number it has there.
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
    """A stop is complete; `left` are the processes that could not be killed."""

    left: Sequence[int]


class GuardianClient:
    """A guardian process and the conversation with it.

    It should be made as soon as there is something to guard, and closed when all is done. If this process dies
    without closing it, every process of the job is killed and every temporary directory removed within seconds; so they
    are when an exception ends its `with` block. If somebody kills the guardian, a process that adopts orphans kills
    all below it instead.
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
        self._heard = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon()

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is a report."""
        return self._socket.fileno()

    @property
    def pid(self) -> int:
        """The process id of the guardian, below which all processes of the job are."""
        return self._process.pid

    def remove_on_exit(self, directory: Path) -> None:
        """Have a directory removed if this process dies."""
        self._request({"do": "remove_on_exit", "path": str(directory)})

    def job_is_over(self) -> None:
        """Have what the job left running on purpose left alone, even if this process dies from now on."""
        with contextlib.suppress(RunnerError):
            self._request({"do": "over"})

    def hold(self, descriptor: int) -> None:
        """Have a descriptor kept open for as long as the guardian lives."""
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
        """Begin to stop the job; a `Stopped` report says when its last process is gone."""
        self._request({"do": "stop"})

    @property
    def has_heard(self) -> bool:
        """Whether a report is here already, so that nobody need wait for `fileno()`."""
        return b"\n" in self._heard

    def reports(self) -> Iterator[Exit | Stopped]:
        """Yield the reports that are here; waits only where there is none."""
        line: dict[str, Any] | None = self._line()
        while line is not None:
            if (report := _understood(line)) is not None:
                yield report
            line = self._line() if self.has_heard else None

    def close(self) -> None:
        """End helpers and guardian; what the job left running on purpose lives on."""
        with contextlib.suppress(RunnerError):
            self._request({"do": "end"})
        self._abandon()

    def _abandon(self) -> None:
        """Leave all to the guardian, which kills every process and removes the temporary directories."""
        self._socket.close()
        if self._process.wait() and adopts_orphans():
            _kill_all_below()

    def _request(self, request: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        message = json.dumps(request).encode() + b"\n"
        try:
            sent = socket.send_fds(self._socket, [message], descriptors) if descriptors else 0
            self._socket.sendall(message[sent:])
        except OSError as error:
            raise _gone() from error

    def _answer(self, name: str) -> Mapping[str, Any]:
        answer = self._line()
        while answer.get("name") != name:
            answer = self._line()
        return answer

    def _line(self) -> dict[str, Any]:
        while not self.has_heard:
            data = self._receive()
            if not data:
                raise _gone()
            self._heard += data
        line, _newline, self._heard = self._heard.partition(b"\n")
        heard: dict[str, Any] = json.loads(line)
        return heard

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(1 << 16)
        except ConnectionError:
            return b""


def _kill_all_below() -> None:
    """Kill all descendants, which a dead guardian has left to us."""
    limit = time.monotonic() + KILL_LIMIT_S
    while (tree := descendants(os.getpid())) and time.monotonic() < limit:
        send_signal(tree, signal.SIGKILL)
        time.sleep(KILL_PAUSE_S)


def _gone() -> RunnerError:
    return RunnerError("the guardian of the job's processes is gone", cause="somebody killed it")


def _understood(line: Mapping[str, Any]) -> Exit | Stopped | None:
    if "stopped" in line:
        return Stopped(left=line["left"])
    if "exited" in line:
        return Exit(name=line["name"], code=os.waitstatus_to_exitcode(line["exited"]))
    return None
