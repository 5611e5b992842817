"""One archive for all slices: packed once, sent many times side by side."""

from __future__ import annotations

import dataclasses
import io
import threading
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import IO, cast

from receptor_runner.archive.pack import MemoryFile, PackedArchive
from receptor_runner.slices.index import SliceEntry
from receptor_runner.slices.slicing import limit_lines
from receptor_runner.transmit import Shipment

_LIMITS = ".slices"
"""The directory for the files that limit Ansible to a slice. It is where Ansible runs, so that the name on the command
line is right in a container and in a copy of the project too."""


def limit_files(
    slices: Iterable[SliceEntry], directory: str, *, with_localhost: bool
) -> dict[str, MemoryFile]:
    """Return the files that limit Ansible to the hosts of each slice, by their place in the archive.

    All of them travel with each slice: the archive is then the same for all.

    Args:
        slices: the slices.
        directory: the directory in which Ansible runs, relative to the private data directory.
        with_localhost: whether plays for the implicit localhost run too.
    """
    return {
        str(PurePosixPath(directory, _LIMITS, str(entry.number))): MemoryFile(
            limit_lines(entry.hosts, with_localhost=with_localhost).encode("utf-8", "surrogateescape")
        )
        for entry in slices
    }


class SharedShipment:
    """A packed job from which the shipments of its slices are made.

    Args:
        shipment: the sliced job, with the files of `limit_files`; it is closed with this.
    """

    def __init__(self, shipment: Shipment) -> None:
        self._shipment = shipment
        self._lock = threading.Lock()

    def of(self, entry: SliceEntry) -> Shipment:
        """Return the shipment of a slice. It may be sent while others are."""
        # the rotation of artifacts is left to the sliced job: slices would remove each other's
        job = dataclasses.replace(
            self._shipment.job, ident=entry.ident, limit=f"@{_LIMITS}/{entry.number}", rotate_artifacts=None
        )
        return dataclasses.replace(self._shipment, job=job, archive=self._view())

    def close(self) -> None:
        """Give the spooled archive back."""
        self._shipment.close()

    def _view(self) -> PackedArchive | None:
        archive = self._shipment.archive
        if archive is None:
            return None
        reader = io.BufferedReader(_View(archive.file, archive.size, self._lock))
        return PackedArchive(archive.size, cast(IO[bytes], reader), archive.skipped)


class _View(io.RawIOBase):
    """Reads a file that others read too, from a position of its own.

    Args:
        file: the file.
        size: its size in bytes.
        lock: held while the position of the file counts.
    """

    def __init__(self, file: IO[bytes], size: int, lock: threading.Lock) -> None:
        self._file = file
        self._size = size
        self._lock = lock
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(start + offset, 0)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io passes a memoryview
        with self._lock:
            self._file.seek(self._position)
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
