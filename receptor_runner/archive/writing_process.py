"""A second process that writes small files beside the one that extracts an archive."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Self

from receptor_runner.archive import small_files
from receptor_runner.archive.frames import encode_frame
from receptor_runner.archive.helper_process import HelperProcess

if TYPE_CHECKING:
    from receptor_runner.archive.small_files import Batch, File

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


class WritingProcess:
    """Takes batches of files as long as it keeps up.

    Nothing depends on it: what it has not confirmed, because it could not be started, met an error or was killed, is
    left to the caller, who then meets the same error.

    Args:
        target: a descriptor of the directory below which the files go.
    """

    def __init__(self, target: int) -> None:
        self._waiting: deque[Batch] = deque()
        self._process = HelperProcess(small_files.__name__, target, os.getpid(), descriptor=target)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.finish()

    def take(self, batch: Batch) -> bool:
        """Hand a batch over; return False if the process is busy, or was not started."""
        while self._waiting and self._process.has_answered and self._confirmed():
            pass
        if not self._process.is_running or len(self._waiting) == _MOST_WAITING:
            return False
        # If the process is gone, the batch stays among those that are not confirmed.
        self._waiting.append(batch)
        self._process.request(encode_frame(batch))
        return True

    def finish(self) -> list[Batch]:
        """Wait for the process; return the batches that are left to the caller."""
        if self._process.is_running:
            self._process.end_requests()
            while self._confirmed():
                pass
            self._process.close()
        return list(self._waiting)

    def _confirmed(self) -> bool:
        """Take what was confirmed off the list; return False at the end of the confirmations."""
        confirmations = os.read(self._process.answers, _MOST_WAITING)
        for _confirmation in confirmations:
            self._waiting.popleft()
        return bool(confirmations)
