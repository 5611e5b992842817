"""Directories to zip archives and back, safely.

What is written is what ansible-runner writes and reads: relative names, unix modes, links as links. Extraction treats
every archive as hostile: nothing is written outside of the target, no link is followed, modes come after contents.
"""

from __future__ import annotations

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
from typing import IO, BinaryIO

from receptor_runner.errors import ArchiveError, MissingInput

CHUNK_SIZE = 192 * 1024
"""Bytes read at once; a multiple of three, so that base64 of a chunk needs no carrying over."""

SPOOL_MEMORY = 8 * 1024 * 1024
_PROBE_SIZE = 64 * 1024
_WORTH_DEFLATING = 0.9
_COMPRESSION_LEVEL = 1
_UNIX = 3
_DIRECTORY_FLAG = 0x10
_TIMESTAMP_FIELD = 0x5455
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

    Sockets, devices, FIFOs, files that vanish meanwhile and names that are no UTF-8 are left out and reported;
    links travel as links. Nothing is written anywhere but to an anonymous temporary file.

    Args:
        root: the directory; it has no entry itself.
        wanted: decides by relative name (with `/`) whether a file, link or directory travels; a directory that does
            not travel is not entered.
        extra: relative name to a file from memory; it replaces one of that name on disk.

    Raises:
        MissingInput: a file is there but cannot be read.
        OSError: the temporary file cannot be written.

    Source: the archives that ansible-runner 2.4.3 packs, except that what cannot travel there ends the stream
    midway.
    """
    spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_MEMORY)  # noqa: SIM115 - it lives on in the result
    packed = PackedArchive(0, spool)
    added = dict(extra or {})
    try:
        with zipfile.ZipFile(spool, "w", allowZip64=True, compresslevel=_COMPRESSION_LEVEL) as archive:
            for entry in _walk(root, "", wanted, packed.skipped):
                if entry.name not in added:
                    _add(archive, entry, packed.skipped)
            for name, content in added.items():
                _add_memory(archive, name, content)
        packed.size = spool.tell()
    except BaseException:
        spool.close()
        raise
    return packed


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    path: str
    status: os.stat_result


def _walk(root: Path, prefix: str, wanted: Callable[[str], bool], skipped: list[str]) -> Iterator[_Found]:
    """Yield what is below a directory: its files first, then each directory and what is in it."""
    directories: list[_Found] = []
    for entry in _listing(root / prefix, skipped):
        name = prefix + entry.name
        if not wanted(name):
            continue
        try:
            name.encode()
            found = _Found(name, entry.path, entry.stat(follow_symlinks=False))
        except UnicodeEncodeError:
            skipped.append(f"{os.fsencode(name)!r}: the name is no UTF-8")
        except FileNotFoundError:
            skipped.append(f"{name}: vanished")
        else:
            if stat.S_ISDIR(found.status.st_mode):
                directories.append(found)
            else:
                yield found
    for directory in directories:
        yield directory
        yield from _walk(root, f"{directory.name}/", wanted, skipped)


def _listing(directory: Path, skipped: list[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        skipped.append(f"{directory}: vanished")
        return []
    except PermissionError as error:
        raise MissingInput(f"cannot read {directory}", cause=error.strerror) from error


def _add(archive: zipfile.ZipFile, found: _Found, skipped: list[str]) -> None:
    mode = found.status.st_mode
    try:
        if stat.S_ISDIR(mode):
            archive.writestr(_zip_info(found.name + "/", found.status), b"")
        elif stat.S_ISLNK(mode):
            archive.writestr(_link_info(found.name), os.readlink(found.path))
        elif stat.S_ISREG(mode):
            _add_file(archive, found)
        else:
            skipped.append(f"{found.name}: {_kind(mode)}")
    except FileNotFoundError:
        skipped.append(f"{found.name}: vanished")
    except PermissionError as error:
        hint = "make it readable or move it out of the private data directory"
        raise MissingInput(f"cannot read {found.path}", cause=error.strerror, hint=hint) from error


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a FIFO"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def _add_file(archive: zipfile.ZipFile, found: _Found) -> None:
    """Add a regular file; one that was swapped for something else after it was listed is refused."""
    info = _zip_info(found.name, found.status)
    descriptor = os.open(found.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as source:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileNotFoundError(found.path)
        head = source.read(_PROBE_SIZE)
        info.compress_type = _compression(head)
        if len(head) < _PROBE_SIZE:
            archive.writestr(info, head)
            return
        info.file_size = found.status.st_size
        with archive.open(info, "w", force_zip64=info.file_size > zipfile.ZIP64_LIMIT // 2) as target:
            target.write(head)
            shutil.copyfileobj(source, target, CHUNK_SIZE)


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
        info.extra = struct.pack("<HHBl", _TIMESTAMP_FIELD, 5, 1, seconds)
    return info


def _zip_time(seconds: float) -> tuple[int, int, int, int, int, int]:
    local = time.localtime(seconds)[:6]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionRules:
    """How far an archive is trusted.

    Attributes:
        links_stay_inside: refuse links that could lead out of the target (for what a worker sends back).
        keep_special_bits: keep setuid, setgid and sticky bits.
        reserved: names at the top that an archive may not bring.
        written_last: names at the top whose appearance tells others that everything else is there.
    """

    links_stay_inside: bool = True
    keep_special_bits: bool = False
    reserved: frozenset[str] = frozenset()
    written_last: frozenset[str] = frozenset()


FROM_TRANSMIT = ExtractionRules(links_stay_inside=False, keep_special_bits=True)
"""For a private data directory: an operator's own links may lead anywhere, as on the machine they come from."""


def extract(archive: BinaryIO, target: Path, rules: ExtractionRules) -> list[str]:
    """Extract an archive over a directory: what is there and not in the archive stays.

    All names are checked before anything is written. Files and links that stand in the way are replaced, never
    followed.

    Args:
        archive: the zip file, seekable.
        target: the directory; it is created if it is missing.
        rules: how far the archive is trusted.

    Returns:
        `name: reason` of each entry that was skipped.

    Raises:
        ArchiveError: the archive is damaged, or an entry would leave the target.
        OSError: the disk is full or refuses.

    Source: the modes (to the bit), times (to two seconds), merging and links of ansible-runner 2.4.3's extraction;
    unlike there, nothing is written through a link or outside of the target.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            skipped: list[str] = []
            entries = list(_checked_entries(opened, rules, skipped))
            target.mkdir(mode=0o700, parents=True, exist_ok=True)
            _Extraction(opened, rules).run(target, entries)
            return skipped
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        EOFError,
        RuntimeError,
        struct.error,
    ) as error:
        raise ArchiveError("the archive is damaged", cause=str(error)) from error


@dataclass(frozen=True, slots=True)
class _Entry:
    info: zipfile.ZipInfo
    parts: tuple[str, ...]
    mode: int
    link: str | None = None

    @property
    def is_directory(self) -> bool:
        return self.info.is_dir()


def _checked_entries(
    archive: zipfile.ZipFile, rules: ExtractionRules, skipped: list[str]
) -> Iterator[_Entry]:
    kinds: dict[tuple[str, ...], bool] = {}
    for info in archive.infolist():
        parts = _safe_parts(info.filename)
        if not parts:
            continue
        if parts[0] in rules.reserved:
            skipped.append(f"{info.filename}: a reserved name")
            continue
        entry = _entry(archive, info, parts)
        reason = _refusal(entry, rules)
        if reason:
            skipped.append(f"{info.filename}: {reason}")
            continue
        kinds[parts] = entry.is_directory
        yield entry
    for parts in kinds:
        for depth in range(1, len(parts)):
            if kinds.get(parts[:depth]) is False:
                raise ArchiveError(f"the archive's entry `{'/'.join(parts)}` lies below something else")


def _safe_parts(name: str) -> tuple[str, ...]:
    parts = tuple(part for part in name.split("/") if part not in {"", "."})
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise ArchiveError(f"the archive's entry `{name}` leads out of its target")
    return parts


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, parts: tuple[str, ...]) -> _Entry:
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return _Entry(info, parts, mode, os.fsdecode(archive.read(info)))
    return _Entry(info, parts, mode)


def _refusal(entry: _Entry, rules: ExtractionRules) -> str | None:
    kind = stat.S_IFMT(entry.mode)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}:
        return "neither a file, a directory nor a link"
    if entry.link is not None and rules.links_stay_inside and not _stays_inside(entry):
        return f"a link that leads out of the directory, to {entry.link}"
    return None


def _stays_inside(entry: _Entry) -> bool:
    """Whether a link can only lead to places inside: no absolute target, and `..` only at its beginning.

    A `..` behind a name could climb out through another link.
    """
    assert entry.link is not None
    parts = [part for part in entry.link.split("/") if part not in {"", "."}]
    climbs = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    return not entry.link.startswith("/") and climbs < len(entry.parts) and ".." not in parts[climbs:]


class _Extraction:
    """One extraction: directories are opened one below the other, never through a link."""

    def __init__(self, archive: zipfile.ZipFile, rules: ExtractionRules) -> None:
        self._archive = archive
        self._rules = rules
        self._open: list[tuple[str, int]] = []
        self._root = -1

    def run(self, target: Path, entries: list[_Entry]) -> None:
        self._root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            made = [entry for entry in entries if entry.is_directory and self._make_directory(entry)]
            files = [entry for entry in entries if entry.link is None and not entry.is_directory]
            for entry in sorted(files, key=self._is_last):
                self._write_file(entry)
            for entry in entries:
                if entry.link is not None:
                    self._make_link(entry)
            for entry in sorted(made, key=lambda entry: len(entry.parts), reverse=True):
                self._finish_directory(entry)
        finally:
            self._leave(0)
            os.close(self._root)

    def _is_last(self, entry: _Entry) -> bool:
        return len(entry.parts) == 1 and entry.parts[0] in self._rules.written_last

    def _leave(self, depth: int) -> None:
        while len(self._open) > depth:
            os.close(self._open.pop()[1])

    def _enter(self, parts: tuple[str, ...]) -> int:
        """Return a descriptor of a directory below the target, made where it is missing."""
        shared = 0
        while shared < min(len(parts), len(self._open)) and self._open[shared][0] == parts[shared]:
            shared += 1
        self._leave(shared)
        for name in parts[shared:]:
            self._open.append((name, self._open_below(self._current, name)))
        return self._current

    @property
    def _current(self) -> int:
        return self._open[-1][1] if self._open else self._root

    @staticmethod
    def _open_below(parent: int, name: str) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return os.open(name, flags, dir_fd=parent)
        except FileNotFoundError:
            os.mkdir(name, 0o700, dir_fd=parent)
            return os.open(name, flags, dir_fd=parent)
        except NotADirectoryError as error:
            what = f"the archive's directory `{name}` is something else here"
            raise ArchiveError(what, cause="a file or a link stands in its place") from error

    def _make_directory(self, entry: _Entry) -> bool:
        """Make a directory; return whether it is new, and so whether the archive decides its mode."""
        parent = self._enter(entry.parts[:-1])
        try:
            os.mkdir(entry.parts[-1], 0o700, dir_fd=parent)
        except FileExistsError:
            self._enter(entry.parts)
            return False
        return True

    def _clear(self, entry: _Entry) -> int:
        """Return the parent's descriptor, with nothing left where the entry goes."""
        parent = self._enter(entry.parts[:-1])
        try:
            os.unlink(entry.parts[-1], dir_fd=parent)
        except FileNotFoundError:
            pass
        except IsADirectoryError as error:
            what = f"the archive's entry `{entry.info.filename}` is a directory here"
            raise ArchiveError(what) from error
        return parent

    def _write_file(self, entry: _Entry) -> None:
        parent = self._clear(entry)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(entry.parts[-1], flags, 0o600, dir_fd=parent)
        with open(descriptor, "wb", buffering=0) as file, self._archive.open(entry.info) as source:
            shutil.copyfileobj(source, file, CHUNK_SIZE)
            os.fchmod(descriptor, self._permissions(entry))
            os.utime(descriptor, (_modified(entry.info),) * 2)

    def _permissions(self, entry: _Entry) -> int:
        if not entry.mode:
            return 0o700 if entry.is_directory else 0o600
        return entry.mode & (0o7777 if self._rules.keep_special_bits else 0o777)

    def _make_link(self, entry: _Entry) -> None:
        assert entry.link is not None
        os.symlink(entry.link, entry.parts[-1], dir_fd=self._clear(entry))

    def _finish_directory(self, entry: _Entry) -> None:
        descriptor = self._enter(entry.parts)
        os.utime(descriptor, (_modified(entry.info),) * 2)
        os.fchmod(descriptor, self._permissions(entry))


def _modified(info: zipfile.ZipInfo) -> float:
    """Return when an entry was modified: in UTC where the archive says so, else as a local time."""
    extra = info.extra
    while len(extra) >= 4:
        tag, size = struct.unpack_from("<HH", extra)
        if tag == _TIMESTAMP_FIELD and size >= 5 and extra[4] & 1 and len(extra) >= 9:
            return float(struct.unpack_from("<l", extra, 5)[0])
        extra = extra[4 + size :]
    return time.mktime((*info.date_time, 0, 0, -1))
