"""Directories to zip archives: what ansible-runner packs and reads, with relative names, unix modes, links as links."""

from __future__ import annotations

import itertools
import os
import stat
import tempfile
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import IO, NamedTuple

from receptor_runner.archive.shares import Found, pack_found
from receptor_runner.archive.zip_format import CHUNK_SIZE, DEEPEST, DEFAULT_LEVEL, SPOOL_MEMORY
from receptor_runner.archive.zip_writer import Meta, ZipWriter
from receptor_runner.errors import MissingInput, OutputFailed


def _everything(_name: str) -> bool:
    return True


class MemoryFile(NamedTuple):
    """A file that goes into an archive from memory, so that a secret never touches the caller's disk."""

    content: bytes
    mode: int = 0o600


class PackedArchive:
    """A finished archive, spooled.

    Args:
        size: bytes of the zip file.
        file: the spool.
        skipped: `name: reason` of each thing that could not travel.
    """

    def __init__(self, size: int, file: IO[bytes], skipped: Iterable[str] = ()) -> None:
        self.size = size
        self.file = file
        self.skipped = list(skipped)

    def digest(self, wanted: Callable[[str], bool]) -> str:
        """Return a digest of the names, modes and contents, whatever the times.

        Args:
            wanted: decides by name what counts.
        """
        import hashlib

        from receptor_runner.archive.zip_reader import ZipReader

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


class Tree(NamedTuple):
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
        for found in _entries(tree):
            if not isinstance(found, str) and not found[1].is_dir(follow_symlinks=False):
                yield found[0], found[1].stat(follow_symlinks=False).st_size


def _fill(packed: PackedArchive, trees: Iterable[Tree], added: Mapping[str, MemoryFile], level: int) -> None:
    with ZipWriter(packed.file, level=level) as archive:
        found = itertools.chain.from_iterable(map(_entries, trees))
        pack_found(archive, _without(added, found), packed.skipped)
        for name, file in added.items():
            archive.add(Meta(name, stat.S_IFREG | file.mode, time.time()), file.content)
    packed.size = packed.file.tell()


def _without(names: Container[str], found: Iterable[Found | str]) -> Iterable[Found | str]:
    """Leave out the entries of some names."""
    return (one for one in found if isinstance(one, str) or one[0] not in names) if names else found


def _entries(tree: Tree) -> Iterator[Found | str]:
    """Yield what is in a tree, by its names in the archive, and `name: reason` for what cannot travel."""
    if not tree.place or tree.root.is_dir():
        yield from _walk(tree)
    else:
        skipped: list[str] = []
        entries = _listing(tree.root.parent, skipped)
        yield from skipped
        yield from ((tree.place, entry) for entry in entries if entry.name == tree.root.name)


def _walk(tree: Tree) -> Iterator[Found | str]:
    """Yield what is below a directory: its files first, then each directory and what is in it."""
    place = f"{tree.place}/" if tree.place else ""
    waiting: list[tuple[str, Found]] = []
    prefix = ""
    while True:
        directories: list[tuple[str, Found]] = []
        yield from _list(tree, prefix, place, directories)
        waiting += reversed(directories)
        if not waiting:
            return
        name, directory = waiting.pop()
        yield directory
        prefix = f"{name}/"


def _list(tree: Tree, prefix: str, place: str, directories: list[tuple[str, Found]]) -> Iterator[Found | str]:
    """Yield what a directory holds, but for directories, and `name: reason` for what cannot travel.

    Args:
        tree: where it is.
        prefix: its name in the tree, with a `/`; "" for the root.
        place: what comes before that in the archive.
        directories: takes the directories in it, each behind its name in the tree.
    """
    skipped: list[str] = []
    # this loop runs for each file of a project: what is the same for all of them stands before it
    wanted = tree.wanted
    is_too_deep = prefix.count("/") >= DEEPEST
    for entry in _listing(tree.root / prefix, skipped):
        name = prefix + entry.name
        if not wanted(name):
            continue
        try:
            if not name.isascii():
                name.encode()
            if is_too_deep:
                yield f"{name}: nested too deep"
            elif entry.is_dir(follow_symlinks=False):
                directories.append((name, (place + name, entry)))
            else:
                yield place + name, entry
        except UnicodeEncodeError:
            yield f"{os.fsencode(name)!r}: the name is no UTF-8"
        except FileNotFoundError:
            yield f"{name}: vanished"
    yield from skipped


def _listing(directory: Path, skipped: list[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=attrgetter("name"))
    except (FileNotFoundError, NotADirectoryError):
        skipped.append(f"{directory}: vanished")
        return []
    except OSError as error:
        hint = "make it readable, or move it out of the private data directory"
        raise MissingInput(f"cannot read {directory}", cause=error.strerror, hint=hint) from error
