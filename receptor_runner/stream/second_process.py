"""A second process that writes small files beside this one."""

from __future__ import annotations

import contextlib
import fcntl
import marshal
import os
import select
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Self

from receptor_runner.stream import small_files

if TYPE_CHECKING:
    from receptor_runner.stream.small_files import Batch, File

_PIPE_SIZE = 1 << 18  # what waits for the process should not keep this one waiting
_MOST_WAITING = 2
_BATCH_SIZE = 1 << 16
_BATCH_FILES = 64


def batched(files: Iterable[File]) -> Iterator[Batch]:
    """Yield files in batches that are worth handing over, and fit into a pipe."""
    batch: Batch = []
    size = 0
    for file in files:
        batch.append(file)
        size += len(file[2])
        if size > _BATCH_SIZE or len(batch) == _BATCH_FILES:
            yield batch
            batch, size = [], 0
    yield batch


class SecondProcess:
    """Takes batches of files as long as it keeps up.

    Nothing depends on it: what it has not confirmed, because it could not be started, met an error or was killed, is
    left to the caller, who then meets the same error.

    Args:
        target: a descriptor of the directory below which the files go.
    """

    def __init__(self, target: int) -> None:
        self._waiting: deque[Batch] = deque()
        self._batches = self._confirmations = -1
        self._poll = select.poll()
        self._process = _start(target)
        if self._process:
            assert self._process.stdin
            assert self._process.stdout
            self._batches, self._confirmations = self._process.stdin.fileno(), self._process.stdout.fileno()
            self._poll.register(self._confirmations, select.POLLIN)
            with contextlib.suppress(OSError):
                fcntl.fcntl(self._batches, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.finish()

    def take(self, batch: Batch) -> bool:
        """Hand a batch over; return False if the process is busy, or was not started."""
        while self._waiting and self._poll.poll(0) and self._confirmed():
            pass
        if self._process is None or len(self._waiting) == _MOST_WAITING:
            return False
        self._waiting.append(batch)
        data = marshal.dumps(batch)
        with contextlib.suppress(OSError):  # it is gone: the batch stays among those that are not confirmed
            small_files.write_all(self._batches, len(data).to_bytes(small_files.SIZE_BYTES, "little") + data)
        return True

    def finish(self) -> list[Batch]:
        """Wait for the process; return the batches that are left to the caller."""
        if self._process:
            with self._process as process:  # closes what is open of its pipes, and waits for it
                assert process.stdin
                process.stdin.close()
                while self._confirmed():
                    pass
            self._process = None
        return list(self._waiting)

    def _confirmed(self) -> bool:
        """Take what was confirmed off the list; return False at the end of the confirmations."""
        confirmations = os.read(self._confirmations, _MOST_WAITING)
        for _confirmation in confirmations:
            self._waiting.popleft()
        return bool(confirmations)


def _start(target: int) -> subprocess.Popen[bytes] | None:
    """Start the process; return None where the system has none to give, or no descriptors."""
    with contextlib.suppress(OSError):
        return subprocess.Popen(
            [sys.executable, "-I", "-S", small_files.__file__, str(target), str(os.getpid())],
            bufsize=0,
            pass_fds=(target,),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C at a terminal is for its parent
        )
    return None
