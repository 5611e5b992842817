"""Commands as separate processes, in an isolated environment."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness.environment import BIN, OURS


@dataclass
class Finished:
    """A command that has ended."""

    rc: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        """What it printed, as text."""
        return self.stdout.decode(errors="replace")


def finish(process: subprocess.Popen[bytes], timeout_s: float = 60) -> Finished:
    """Wait for a process; return how it ended."""
    stdout, stderr = process.communicate(timeout=timeout_s)
    return Finished(process.returncode, stdout or b"", (stderr or b"").decode(errors="replace"))


@dataclass
class Commands:
    """Runs commands in an isolated environment."""

    environment: dict[str, str]
    cwd: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(self, *words: str | Path, stdin: bytes = b"", timeout_s: float = 90.0) -> Finished:
        """Run a command to its end."""
        done = subprocess.run(
            [str(word) for word in words],
            input=stdin,
            capture_output=True,
            env=self.environment,
            cwd=self.cwd,
            timeout=timeout_s,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr.decode(errors="replace"))

    def ours(self, *words: str | Path, stdin: bytes = b"", timeout_s: float = 90.0) -> Finished:
        """Run `receptor-runner`."""
        return self.run(OURS, *words, stdin=stdin, timeout_s=timeout_s)

    def peer(self, *words: str | Path, stdin: bytes = b"", timeout_s: float = 90.0) -> Finished:
        """Run `ansible-runner`."""
        return self.run(BIN / "ansible-runner", *words, stdin=stdin, timeout_s=timeout_s)

    def start(
        self,
        *words: str | Path,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        program: tuple[str, ...] = (OURS,),
    ) -> subprocess.Popen[bytes]:
        """Start `receptor-runner`, or another program, in a session of its own; it is killed when the test ends."""
        process = subprocess.Popen(
            [*program, *(str(word) for word in words)],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=self.environment,
            cwd=self.cwd,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def close(self) -> None:
        """Kill what still runs."""
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
