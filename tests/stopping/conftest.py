"""What the tests of stopping share: a worker that is listened to, and a count of what it leaves."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from receptor_runner.stream.decoder import Decoder
from receptor_runner.stream.messages import ArchiveEnd, ArchiveStart, Eof, Message, StatusLine
from tests.harness import OURS, Census, Commands, Project, wait_until

Process = subprocess.Popen[bytes]

THEIR_OWN = re.compile(r"ansible_.*_payload_|pymp-")
"""Unpacked modules; the directory of the socket over which ansible-core 2.21 talks to its forks."""

STUBBORN = """
import os, signal, subprocess, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
if len(sys.argv) > 2:
    subprocess.Popen([sys.executable, sys.argv[0], sys.argv[1]], start_new_session=True)
open(sys.argv[1], "a").write("x")
while True:
    signal.pause()
"""
"""Ignores every polite signal; given a third word it has a child, in a session of its own, that does so too."""


class Worker:
    """A running worker whose stream is read, message by message, while it runs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.messages: list[Message] = []
        self.data = bytearray()
        self._decoder = Decoder()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while piece := os.read(self.process.stdout.fileno(), 1 << 20):
            self.data += piece
            self.messages += self._decoder.feed(piece)

    def send(self, data: bytes, *, whole: bool = True) -> None:
        """Write to its input; close it if that is all."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()
        if whole:
            self.process.stdin.close()
            self.process.stdin = None

    @property
    def statuses(self) -> list[dict[str, Any]]:
        """The status lines so far."""
        return [message.data for message in list(self.messages) if isinstance(message, StatusLine)]

    def has(self, kind: type[Message]) -> bool:
        """Whether a message of a kind has come."""
        return any(isinstance(message, kind) for message in list(self.messages))

    def await_status(self, status: str) -> None:
        """Wait until a status has come."""
        wait_until(lambda: status in [line["status"] for line in self.statuses], f"status {status}")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def finish(self) -> dict[str, Any]:
        """Wait until it ends; check that its stream is whole; return its last status."""
        self.process.wait(40)
        self._thread.join(10)
        self._decoder.check_complete()
        assert isinstance(self.messages[-1], Eof)
        return self.statuses[-1]

    def check_order(self) -> None:
        """Check that the last status came before the archive, and the archive before the end marker."""
        kinds = [type(message) for message in self.messages]
        last_status = max(index for index, kind in enumerate(kinds) if kind is StatusLine)
        assert last_status < kinds.index(ArchiveStart) < kinds.index(ArchiveEnd) < kinds.index(Eof)


@dataclass
class Bench:
    """Makes workers whose processes and files can be counted."""

    commands: Commands
    project: Project
    temporary: Path
    census: Census
    signs: Path

    def transmit(self, *words: str) -> bytes:
        """Return the stream of the project's playbook."""
        done = self.commands.ours("transmit", self.project.path, "-p", "test.yml", "-i", "1", *words)
        assert done.rc == 0, done.stderr
        return done.stdout

    def spawn(
        self, *words: str | Path, stdout: int = subprocess.PIPE, wrapper: Sequence[str] = ()
    ) -> Process:
        """Start a worker's process, writing to `stdout`, by a wrapping command."""
        return self.commands.start(
            "worker",
            *words,
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            program=(*wrapper, OURS),
        )

    def start(self, *words: str | Path, wrapper: Sequence[str] = ()) -> Worker:
        """Start a worker that is listened to."""
        return Worker(self.spawn(*words, wrapper=wrapper))

    def begin(self, tasks: str, *words: str, signs: int = 1) -> Worker:
        """Start a worker with a job, and wait until that has given so many signs of life."""
        self.project.playbook(tasks)
        worker = self.start()
        worker.send(self.transmit(*words))
        wait_until(lambda: self.seen >= signs, "the job's tasks run")
        return worker

    @property
    def seen(self) -> int:
        """How many signs of life the job has given."""
        return len(self.signs.read_text()) if self.signs.exists() else 0

    def stubborn(self, *, with_child: bool = True) -> str:
        """Return a command that ignores every polite signal."""
        script = self.signs.with_name("stubborn.py")
        script.write_text(STUBBORN)
        return f"{sys.executable} {script} {self.signs}" + (" child" if with_child else "")

    def check_clean(self) -> None:
        """Check that neither a process nor a file of the worker is left."""
        self.census.check_empty()
        wait_until(lambda: not self.files, "no file is left")

    @property
    def files(self) -> list[str]:
        """What is left in the temporary directory, but for what a killed ansible or module itself had there."""
        names = [path.name for path in self.temporary.iterdir()]
        return [name for name in names if not THEIR_OWN.match(name)]


@pytest.fixture
def bench(commands: Commands, project: Project, tmp_path: Path, short_dir: Path) -> Iterator[Bench]:
    """A bench for workers."""
    temporary = short_dir / "tmp"
    temporary.mkdir()
    census = Census()
    commands.environment |= {"TMPDIR": str(temporary), **census.variables}
    yield Bench(commands, project, temporary, census, tmp_path / "signs")
    census.kill()
