"""Directories to zip archives: what ansible-runner packs and reads, with relative names, unix modes, links as links."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from receptor_runner.errors import MissingInput, OutputFailed

CHUNK_SIZE = 192 * 1024
"""Bytes read at once; a multiple of three, so that base64 of a chunk needs no carrying over."""

SPOOL_MEMORY = 8 * 1024 * 1024
_PROBE_SIZE = 64 * 1024
_WORTH_DEFLATING = 0.9
_COMPRESSION_LEVEL = 1
_UNIX = 3
_DIRECTORY_FLAG = 0x10
_LATEST_SECONDS = 1 << 33
TIMESTAMP_FIELD = 0x5455
"""The extra field of a zip entry that holds its time in UTC."""

DEEPEST = 128
"""How many directories may lie one below the other."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_EARLIEST, _LATEST = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 59)


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
        with zipfile.ZipFile(self.file) as archive:
            entries = sorted(
                (info.filename, info.CRC, info.file_size, info.external_attr)
                for info in archive.infolist()
                if wanted(info.filename)
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


def pack(
    root: Path,
    *,
    wanted: Callable[[str], bool] = _everything,
    extra: Mapping[str, MemoryFile] | None = None,
) -> PackedArchive:
    """Pack a directory.

    Sockets, devices, FIFOs, files that vanish meanwhile, names that are no UTF-8 and directories nested too deep
    are left out and reported; links travel as links. Nothing is written anywhere but to an anonymous temporary file.

    Args:
        root: the directory; it has no entry itself.
        wanted: decides by relative name (with `/`) whether a file, link or directory travels; a directory that does
            not travel is not entered.
        extra: relative name to a file from memory; it replaces one of that name on disk.

    Raises:
        MissingInput: a file is there but cannot be read.
        OutputFailed: the temporary file cannot be written.

    Source: the archives that ansible-runner 2.4.3 packs, except that what cannot travel there ends the stream
    midway.
    """
    spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_MEMORY)  # noqa: SIM115 - it lives on in the result
    packed = PackedArchive(0, spool)
    try:
        _fill(packed, root, wanted, extra or {})
    except OSError as error:
        spool.close()
        raise OutputFailed("packing failed", cause=error.strerror or str(error)) from error
    except BaseException:
        spool.close()
        raise
    return packed


def _fill(
    packed: PackedArchive, root: Path, wanted: Callable[[str], bool], added: Mapping[str, MemoryFile]
) -> None:
    with zipfile.ZipFile(packed.file, "w", allowZip64=True, compresslevel=_COMPRESSION_LEVEL) as archive:
        for entry in _walk(root, wanted, packed.skipped):
            if entry.name not in added:
                _add(archive, entry, packed.skipped)
        for name, content in added.items():
            _add_memory(archive, name, content)
    packed.size = packed.file.tell()


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    path: str
    status: os.stat_result


def _walk(root: Path, wanted: Callable[[str], bool], skipped: list[str]) -> Iterator[_Found]:
    """Yield what is below a directory: its files first, then each directory and what is in it."""
    directories: list[_Found] = []
    prefix = ""
    while True:
        files, below = _sorted_out(_listing(root / prefix, skipped), prefix, wanted, skipped)
        yield from files
        directories += reversed(below)
        if not directories:
            return
        directory = directories.pop()
        yield directory
        prefix = f"{directory.name}/"


def _sorted_out(
    entries: list[os.DirEntry[str]], prefix: str, wanted: Callable[[str], bool], skipped: list[str]
) -> tuple[list[_Found], list[_Found]]:
    """Return the wanted files and links of a directory, and its directories."""
    found = [_found(entry, prefix, skipped) for entry in entries if wanted(prefix + entry.name)]
    files = [one for one in found if one and not stat.S_ISDIR(one.status.st_mode)]
    return files, [one for one in found if one and stat.S_ISDIR(one.status.st_mode)]


def _found(entry: os.DirEntry[str], prefix: str, skipped: list[str]) -> _Found | None:
    """Return a thing as it is found, or None if it cannot travel."""
    name = prefix + entry.name
    try:
        name.encode()
        if name.count("/") < DEEPEST:
            return _Found(name, entry.path, entry.stat(follow_symlinks=False))
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


def _add(archive: zipfile.ZipFile, found: _Found, skipped: list[str]) -> None:
    mode = found.status.st_mode
    try:
        if stat.S_ISDIR(mode):
            archive.writestr(_zip_info(found.name + "/", found.status), b"")
        elif stat.S_ISLNK(mode):
            archive.writestr(_link_info(found.name), os.readlink(os.fsencode(found.path)))
        elif stat.S_ISREG(mode):
            _add_file(archive, found)
        else:
            skipped.append(f"{found.name}: {_kind(mode)}")
    except FileNotFoundError:
        skipped.append(f"{found.name}: vanished")
    except OSError as error:
        if error.errno in _FULL:
            raise
        hint = "make it readable or move it out of the private data directory"
        raise MissingInput(f"cannot read {found.path}", cause=error.strerror, hint=hint) from error


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a FIFO"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def _add_file(archive: zipfile.ZipFile, found: _Found) -> None:
    """Add a regular file."""
    info = _zip_info(found.name, found.status)
    with open(_open_regular(found.path), "rb") as source:
        head = source.read(_PROBE_SIZE)
        info.compress_type = _compression(head)
        if len(head) < _PROBE_SIZE:
            archive.writestr(info, head)
            return
        info.file_size = found.status.st_size
        with archive.open(info, "w", force_zip64=info.file_size > zipfile.ZIP64_LIMIT // 2) as target:
            target.write(head)
            shutil.copyfileobj(source, target, CHUNK_SIZE)


def _open_regular(path: str) -> int:
    """Open a regular file; one that was swapped for something else after it was listed counts as gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in {errno.ELOOP, errno.ENXIO}:
            raise
        raise FileNotFoundError(path) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(path)
    return descriptor


def _compression(head: bytes) -> int:
    """Choose how a file travels: what does not shrink is stored, which is much faster at both ends."""
    if not head or len(zlib.compress(head, _COMPRESSION_LEVEL)) > len(head) * _WORTH_DEFLATING:
        return zipfile.ZIP_STORED
    return zipfile.ZIP_DEFLATED


def _zip_info(name: str, status: os.stat_result) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _zip_time(status.st_mtime))
    info.create_system = _UNIX
    info.external_attr = (status.st_mode & 0xFFFF) << 16
    if name.endswith("/"):
        info.external_attr |= _DIRECTORY_FLAG
    seconds = int(status.st_mtime)
    if 0 <= seconds < 1 << 31:
        info.extra = struct.pack("<HHBl", TIMESTAMP_FIELD, 5, 1, seconds)
    return info


def _zip_time(seconds: float) -> tuple[int, int, int, int, int, int]:
    local = time.localtime(min(max(seconds, 0), _LATEST_SECONDS))[:6]
    return min(max(local, _EARLIEST), _LATEST)


def _link_info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EARLIEST)
    info.create_system = _UNIX
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def _add_memory(archive: zipfile.ZipFile, name: str, file: MemoryFile) -> None:
    info = zipfile.ZipInfo(name, _zip_time(time.time()))
    info.create_system = _UNIX
    info.external_attr = (stat.S_IFREG | file.mode) << 16
    info.compress_type = _compression(file.content[:_PROBE_SIZE])
    archive.writestr(info, file.content)
