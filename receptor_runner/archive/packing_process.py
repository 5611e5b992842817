"""A second process that reads and compresses files beside the one that lists them and writes the archive.

Reading small files is mostly work with the interpreter's lock held, so that threads would only wait for each other.
"""

from __future__ import annotations

import sys
from collections import deque

from receptor_runner.archive.compression import Compression
from receptor_runner.archive.file_reader import Listed, Piece, read_piece
from receptor_runner.archive.frames import encode_frame, read_frame, write_all
from receptor_runner.archive.segment import Segment

TYPE_CHECKING = False  # the second process starts in half of the time without `typing`
if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_WAITING = 2
_PAGE_SIZE = 4096  # a pipe is filled in pages, and no two writes need share one


class PackingProcess:
    """Reads and compresses what it takes, in its order, as long as it keeps up.

    Nothing depends on it: if it could not be started, met an error or was killed, `piece` returns None, and the caller
    reads the rest and meets the same error.

    Args:
        compression: how it compresses.
    """

    def __init__(self, compression: Compression) -> None:
        from receptor_runner.archive.helper_process import HelperProcess

        self._compression = compression
        self._process = HelperProcess(__name__, compression.level)
        self._waiting: deque[int] = deque()  # the pages that each takes in the pipe

    def take(self, listed: Sequence[Listed]) -> bool:
        """Take something that was listed; return False if enough is waiting, or the process is gone.

        What is taken has to fit into the pipe. Writing more would wait for the process, which may be waiting itself,
        until somebody reads what it has to say.
        """
        if len(self._waiting) == _MOST_WAITING or not self._process.is_running:
            return False
        frame = encode_frame(listed)
        pages = -(-len(frame) // _PAGE_SIZE)
        if (sum(self._waiting) + pages) * _PAGE_SIZE > self._process.capacity:
            return False
        self._process.request(frame)
        self._waiting.append(pages)
        return True

    @property
    def is_ready(self) -> bool:
        """Whether `piece` need not wait."""
        return not self._process.is_running or self._process.has_answered

    def piece(self) -> Piece | None:
        """Return the next piece of what was taken first and is not finished, or None if the process is gone."""
        answer = read_frame(self._process.answers) if self._process.is_running else None
        if answer is None:
            self._process.close()
            return None
        data, places, directory, end, skipped, is_large = answer
        return Piece(Segment(self._compression, data, places, directory), end, skipped, is_large)

    def finished(self) -> None:
        """Note that all of what was taken first has come."""
        self._waiting.popleft()

    def close(self) -> None:
        """End it; what it was about to do is lost."""
        self._process.close()


def serve(level: int) -> None:
    """Answer what comes on stdin with its pieces on stdout, each as the fields of its segment and then its own."""
    compression = Compression(level)
    while (listed := read_frame(sys.stdin.fileno())) is not None:
        start = 0
        while start < len(listed):
            piece = read_piece(compression, listed, start)
            segment = piece.segment
            answer = (
                *(segment.data, segment.places, segment.directory),
                *(piece.end, piece.skipped, piece.is_large),
            )
            write_all(sys.stdout.fileno(), encode_frame(answer))
            start = piece.end + piece.is_large
