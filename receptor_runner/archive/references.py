"""Archives that refer to files which the reader has kept, made from a whole archive without packing anything again."""

from __future__ import annotations

import hashlib
import stat
import tempfile
from collections.abc import Callable, Container, Iterator, Mapping

from receptor_runner.archive.flow import Body
from receptor_runner.archive.pack import PackedArchive
from receptor_runner.archive.zip_format import SPOOL_MEMORY
from receptor_runner.archive.zip_reader import ZipEntry, ZipReader, is_small
from receptor_runner.archive.zip_writer import Meta, ZipWriter


def candidates(packed: PackedArchive, may_be_kept: Callable[[str, int], bool]) -> Iterator[ZipEntry]:
    """Yield the regular files of an archive that may be kept, except for empty ones.

    Args:
        packed: the archive.
        may_be_kept: decides by name and mode.
    """
    for entry in ZipReader(packed.file).entries():
        if stat.S_ISREG(entry.mode) and entry.size and may_be_kept(entry.name, entry.mode):
            yield entry


def digests_of(packed: PackedArchive, entries: list[ZipEntry]) -> dict[str, bytes]:
    """Return the SHA-256 of the content of some files, by name."""
    reader = ZipReader(packed.file)
    return {entry.name: _digest(reader, entry) for entry in entries}


def _digest(reader: ZipReader, entry: ZipEntry) -> bytes:
    if is_small(entry):
        return hashlib.sha256(reader.content(entry)).digest()
    taken = hashlib.sha256()
    for piece in reader.pieces(entry):
        taken.update(piece)
    return taken.digest()


def refer(packed: PackedArchive, digests: Mapping[str, bytes], kept: Container[bytes]) -> PackedArchive:
    """Return an archive that refers to the files which the reader has kept, and marks those that it may keep.

    Args:
        packed: the whole archive.
        digests: the digests of the files that may be kept, by name.
        kept: the digests that the reader has.

    Raises:
        OSError: there is no room for it.
    """
    spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_MEMORY)  # noqa: SIM115 - it lives on in the result
    reader = ZipReader(packed.file)
    try:
        with ZipWriter(spool) as archive:
            for entry in reader.entries():
                digest = digests.get(entry.name, b"")
                seconds = None if stat.S_ISLNK(entry.mode) else entry.modified
                meta = Meta(entry.name, entry.mode, seconds, digest)
                if digest and digest in kept:
                    archive.add_reference(meta, entry.size)
                else:
                    body = Body(entry.method, entry.checksum, entry.packed_size, entry.size)
                    archive.copy(meta, body, reader.packed(entry))
    except BaseException:
        spool.close()
        raise
    return PackedArchive(spool.tell(), spool)
