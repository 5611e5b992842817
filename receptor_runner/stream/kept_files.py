"""The files of an archive that its writer lets the reader keep."""

from __future__ import annotations

from typing import IO, NamedTuple

from receptor_runner.stream.zip_reader import ZipReader


class KeptFile(NamedTuple):
    """A file of an archive that its reader may keep.

    Attributes:
        name: its name in the archive, relative, with `/`.
        digest: its SHA-256, as the writer says.
        size: bytes of it.
    """

    name: str
    digest: bytes
    size: int


def marked_files(archive: IO[bytes]) -> list[KeptFile]:
    """Return the files in an archive that its writer lets the reader keep; the archive has been checked already."""
    entries = ZipReader(archive).entries()
    return [KeptFile(entry.name, digest, entry.size) for entry in entries if (digest := entry.digest)]
