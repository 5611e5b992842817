"""Writes small files into directories that are new: in the process that extracts an archive, and in a second one.

To create a file takes the kernel longer than all that is done with its content, and threads gain nothing: they would
hand over the interpreter's lock at each of five short calls.
"""

from __future__ import annotations

import os
import sys

from receptor_runner.archive.frames import read_frame, write_all

File = tuple[tuple[str, ...], str, bytes, int, float]
"""Its directory below the target, name there, content, mode and time of modification."""

Batch = list[File]

CONFIRMED = b"+"
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def create(directory: int, name: str) -> int:
    """Create a file that only its owner can read; return its descriptor.

    Raises:
        FileExistsError: something stands there.
        OSError: the disk is full or refuses.
    """
    return os.open(name, _CREATE, 0o600, dir_fd=directory)


def enter(directory: int, name: str) -> int:
    """Open a directory that stands in another one; return its descriptor.

    Raises:
        NotADirectoryError: it is something else, a link for example.
        OSError: it is missing, or the system refuses.
    """
    return os.open(name, _ENTER, dir_fd=directory)


def finish(descriptor: int, mode: int, modified: float) -> None:
    """Give a file its mode and time; only when its content is there: a setuid bit must not come before that."""
    os.fchmod(descriptor, mode)
    os.utime(descriptor, (modified, modified))


def write_file(directory: int, file: File) -> None:
    """Write a small file.

    Raises:
        FileExistsError: something stands in its place.
        OSError: the disk is full or refuses.
    """
    _parts, name, content, mode, modified = file
    descriptor = create(directory, name)
    try:
        write_all(descriptor, content)
        finish(descriptor, mode, modified)
    finally:
        os.close(descriptor)


def serve(target: int, parent: int) -> None:
    """Write the batches that come on stdin; one byte on stdout confirms that all files of a batch are there.

    It ends at the end of stdin, with its parent, or at the first error: the parent then writes again what was not
    confirmed, and meets the error.

    Args:
        target: a descriptor of the directory below which the files go.
        parent: the process id of the parent.
    """
    entered, directory = None, os.dup(target)
    batch: Batch | None
    while (batch := read_frame(sys.stdin.fileno())) is not None:
        for file in batch:
            # Whoever removes the directory of a killed parent must not race with this process.
            if os.getppid() != parent:
                return
            if file[0] != entered:
                os.close(directory)
                entered, directory = file[0], _descend(target, file[0])
            write_file(directory, file)
        os.write(sys.stdout.fileno(), CONFIRMED)


def _descend(target: int, parts: tuple[str, ...]) -> int:
    """Return a new descriptor of a directory below the target."""
    directory = os.dup(target)
    for name in parts:
        above, directory = directory, enter(directory, name)
        os.close(above)
    return directory
