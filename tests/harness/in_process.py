"""Our command line in the process of the test: for parsing, help and errors, which need no process each."""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from click.testing import CliRunner
from receptor_runner.cli import color
from receptor_runner.system.signals import STOPPING

from tests.harness.commands import Finished


@dataclass
class CommandLine:
    """Calls the command line as the installed program does, with click's runner in place of the standard streams.

    For parsing, help and errors. What runs a job, takes signals or writes to descriptors is for `Commands`.
    """

    environment: dict[str, str]
    cwd: Path

    def ours(self, *words: str | Path, stdin: bytes = b"") -> Finished:
        """Run `receptor-runner` to its end."""
        from receptor_runner.cli import main

        with self._place(), CliRunner().isolation(stdin) as (stdout, stderr, _both):
            rc = main([str(word) for word in words])
            sys.stdout.flush()
            sys.stderr.flush()
            return Finished(rc, stdout.getvalue(), stderr.getvalue().decode(errors="replace"))

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Be in the isolated environment and directory; restore those, and the logger, whose handler keeps a stream."""
        before = Path.cwd()
        os.chdir(self.cwd)
        try:
            with (
                mock.patch.dict(os.environ, self.environment, clear=True),
                restored_logger(),
                restored_signals(),
            ):
                yield
        finally:
            os.chdir(before)
            color.choose(color.When.AUTO)


@contextmanager
def restored_logger() -> Iterator[None]:
    """Give our logger back as it was: a command line that is called in this process sets its handler and level."""
    log = logging.getLogger("receptor_runner")
    handlers, level, propagates = log.handlers, log.level, log.propagate
    try:
        yield
    finally:
        log.handlers, log.propagate = handlers, propagates
        log.setLevel(level)


@contextmanager
def restored_signals() -> Iterator[None]:
    """Give the handlers of the signals back that stop a command: one that is called in this process sets its own."""
    before = {number: signal.getsignal(number) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as on a full disk; only the error is another one, EFBIG."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
