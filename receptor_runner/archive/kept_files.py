"""The files of an archive that its writer lets the reader keep."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from receptor_runner.archive.zip_reader import ZipEntry


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


def marked_files(entries: Iterable[ZipEntry]) -> list[KeptFile]:
    """Return the files in an archive that its writer lets the reader keep."""
    return [KeptFile(entry.name, entry.digest, entry.size) for entry in entries if entry.digest]
