"""Directories to zip archives: what ansible-runner packs and reads, with relative names, unix modes, links as links."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple, NoReturn

from receptor_runner.errors import MissingInput, OutputFailed
from receptor_runner.stream.limits import SPOOL_MEMORY
from receptor_runner.stream.zip_format import CHUNK_SIZE, DEEPEST, DEFAULT_LEVEL, SMALL_SIZE
from receptor_runner.stream.zip_writer import Meta, ZipWriter


@dataclass(frozen=True, slots=True)
class MemoryFile:
    """A file that goes into an archive from memory, so that a secret never touches the caller's disk."""

    content: bytes
    mode: int = 0o600


@dataclass(slots=True)
class PackedArchive:
    """A finished archive, spooled.

    Attributes:
        size: bytes of the zip file.
        skipped: `name: reason` of each thing that could not travel.
    """

    size: int
    file: IO[bytes]
    skipped: list[str] = field(default_factory=list)

    def digest(self, wanted: Callable[[str], bool]) -> str:
        """Return a digest of the names, modes and contents, whatever the times.

        Args:
            wanted: decides by name what counts.
        """
        from receptor_runner.stream.zip_reader import ZipReader

        entries = sorted(
            (entry.name, entry.checksum, entry.size, entry.attributes)
            for entry in ZipReader(self.file).entries()
            if wanted(entry.name)
        )
        return hashlib.sha256(repr(entries).encode()).hexdigest()

    def chunks(self) -> Iterator[bytes]:
        """Yield the zip file in pieces."""
        self.file.seek(0)
        while chunk := self.file.read(CHUNK_SIZE):
            yield chunk

    def close(self) -> None:
        """Give the spool back."""
        self.file.close()


def _everything(_name: str) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A directory or a file that travels.

    Attributes:
        root: the directory, or the file.
        place: its name in the archive; "" for a directory whose content stands at the top.
        wanted: decides by relative name (with `/`) whether a file, link or directory travels; a directory that does
            not travel is not entered.
    """

    root: Path
    place: str = ""
    wanted: Callable[[str], bool] = _everything


def pack(
    root: Path,
    *,
    wanted: Callable[[str], bool] = _everything,
    extra: Mapping[str, MemoryFile] | None = None,
    level: int = DEFAULT_LEVEL,
) -> PackedArchive:
    """Pack a directory: `pack_trees` for one tree, whose content stands at the top of the archive."""
    return pack_trees([Tree(root=root, wanted=wanted)], extra=extra, level=level)


def pack_trees(
    trees: Iterable[Tree], *, extra: Mapping[str, MemoryFile] | None = None, level: int = DEFAULT_LEVEL
) -> PackedArchive:
    """Pack directories and files.

    Sockets, devices, FIFOs, files that vanish meanwhile, names that are no UTF-8 and directories nested too deep
    are left out and reported; links travel as links. Nothing is written anywhere but to an anonymous temporary file.

    Args:
        trees: what travels; their places do not overlap.
        extra: name to a file from memory; it replaces one of that name on disk.
        level: how hard the archive is compressed, 0 to 9.

    Raises:
        MissingInput: a file is there but cannot be read.
        OutputFailed: the temporary file cannot be written.

    Source: the archives that ansible-runner 2.4.3 packs, except that what cannot travel there ends the stream
    midway.
    """
    spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_MEMORY)  # noqa: SIM115 - it lives on in the result
    packed = PackedArchive(0, spool)
    try:
        _fill(packed, trees, extra or {}, level)
    except OSError as error:
        spool.close()
        raise OutputFailed("packing failed", cause=error.strerror or str(error)) from error
    except BaseException:
        spool.close()
        raise
    return packed


def list_files(trees: Iterable[Tree]) -> Iterator[tuple[str, int]]:
    """Yield the name in the archive and the size, in bytes, of each file and link that would travel."""
    for tree in trees:
        for found in _entries(tree, []):
            if not found.is_directory:
                yield found.name, found.entry.stat(follow_symlinks=False).st_size


def _fill(packed: PackedArchive, trees: Iterable[Tree], added: Mapping[str, MemoryFile], level: int) -> None:
    with ZipWriter(packed.file, level=level) as archive:
        for tree in trees:
            for entry in _entries(tree, packed.skipped):
                if entry.name not in added:
                    _add(archive, entry, packed.skipped)
        for name, file in added.items():
            archive.add(Meta(name, stat.S_IFREG | file.mode, time.time()), file.content)
    packed.size = packed.file.tell()


def _entries(tree: Tree, skipped: list[str]) -> Iterator[_Found]:
    """Yield what is in a tree, by its names in the archive."""
    if not tree.place:
        yield from _walk(tree.root, tree.wanted, skipped)
    elif tree.root.is_dir():
        for found in _walk(tree.root, tree.wanted, skipped):
            yield found._replace(name=f"{tree.place}/{found.name}")
    else:
        for entry in _listing(tree.root.parent, skipped):
            if entry.name == tree.root.name:
                yield _Found(tree.place, entry, is_directory=False)


class _Found(NamedTuple):
    name: str
    entry: os.DirEntry[str]
    is_directory: bool


def _walk(root: Path, wanted: Callable[[str], bool], skipped: list[str]) -> Iterator[_Found]:
    """Yield what is below a directory: its files first, then each directory and what is in it."""
    directories: list[_Found] = []
    prefix = ""
    while True:
        found = [
            one
            for entry in _listing(root / prefix, skipped)
            if wanted(prefix + entry.name) and (one := _found(entry, prefix, skipped))
        ]
        yield from (one for one in found if not one.is_directory)
        directories += (one for one in reversed(found) if one.is_directory)
        if not directories:
            return
        directory = directories.pop()
        yield directory
        prefix = f"{directory.name}/"


def _found(entry: os.DirEntry[str], prefix: str, skipped: list[str]) -> _Found | None:
    """Return a thing as it is found, or None if it cannot travel."""
    name = prefix + entry.name
    try:
        name.encode()
        if name.count("/") < DEEPEST:
            return _Found(name, entry, entry.is_dir(follow_symlinks=False))
        skipped.append(f"{name}: nested too deep")
    except UnicodeEncodeError:
        skipped.append(f"{os.fsencode(name)!r}: the name is no UTF-8")
    except FileNotFoundError:
        skipped.append(f"{name}: vanished")
    return None


def _listing(directory: Path, skipped: list[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        skipped.append(f"{directory}: vanished")
        return []
    except OSError as error:
        raise MissingInput(f"cannot read {directory}", cause=error.strerror) from error


def _add(archive: ZipWriter, found: _Found, skipped: list[str]) -> None:
    try:
        # the kind is known from the listing: a file needs no stat of its own before it is opened
        if found.entry.is_file(follow_symlinks=False):
            _add_file(archive, found)
        else:
            _add_other(archive, found, skipped)
    except FileNotFoundError:
        skipped.append(f"{found.name}: vanished")


def _add_other(archive: ZipWriter, found: _Found, skipped: list[str]) -> None:
    """Add a directory or a link; anything else cannot travel."""
    status = found.entry.stat(follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):
        archive.add(Meta(found.name + "/", status.st_mode, status.st_mtime))
    elif stat.S_ISLNK(status.st_mode):
        try:
            text = os.readlink(os.fsencode(found.entry.path))
        except OSError as error:
            _fail(found.entry.path, error)
        archive.add(Meta(found.name, stat.S_IFLNK | 0o777, None), text, compress=False)
    else:
        skipped.append(f"{found.name}: {_kind(status.st_mode)}")


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a FIFO"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def _add_file(archive: ZipWriter, found: _Found) -> None:
    """Add a regular file."""
    path = found.entry.path
    try:
        descriptor = _open_file(path)
    except OSError as error:
        _fail(path, error)
    try:
        status, head = _read_head(descriptor, path)
        meta = Meta(found.name, status.st_mode, status.st_mtime)
        if len(head) <= min(status.st_size, SMALL_SIZE):
            archive.add(meta, head)
        else:
            archive.add_stream(meta, _chunks(head, descriptor, path), status.st_size)
    finally:
        os.close(descriptor)


def _read_head(descriptor: int, path: str) -> tuple[os.stat_result, bytes]:
    """Return what a file is, and its content, or the beginning of that and a byte more than is small."""
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(path)
        return status, _read_up_to(descriptor, min(status.st_size, SMALL_SIZE), 1)
    except OSError as error:
        _fail(path, error)


def _open_file(path: str) -> int:
    """Open a file; one that was swapped for a link, a socket or a FIFO after it was listed counts as gone."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in {errno.ELOOP, errno.ENXIO}:
            raise
        raise FileNotFoundError(path) from error


def _read_up_to(descriptor: int, size: int, more: int) -> bytes:
    """Return so many bytes, and some more if there are: a file may grow, and network file systems give it in pieces."""
    read = os.read(descriptor, size + more)
    while len(read) < size and (piece := os.read(descriptor, size + more - len(read))):
        read += piece
    return read


def _chunks(head: bytes, descriptor: int, path: str) -> Iterator[bytes]:
    chunk = head
    while chunk:
        yield chunk
        try:
            chunk = os.read(descriptor, CHUNK_SIZE)
        except OSError as error:
            _fail(path, error)


def _fail(path: str, error: OSError) -> NoReturn:
    """Raise what the system says about reading a file as our error; that it vanished is left to the caller."""
    if isinstance(error, FileNotFoundError):
        raise error
    hint = "make it readable, or move it out of the private data directory"
    raise MissingInput(f"cannot read {path}", cause=error.strerror, hint=hint) from error
