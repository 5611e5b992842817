"""Zip archives to directories, safely.

Every archive is treated as hostile: nothing is written outside of the target, no link is followed, modes come after
contents, and nothing at all is written of an archive that is refused.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from receptor_runner.errors import ArchiveError
from receptor_runner.stream.limits import ArchiveLimits
from receptor_runner.stream.zip_format import DEEPEST, DEFLATED, DIGEST_SIZE, REFERENCE, STORED
from receptor_runner.stream.zip_reader import ZipEntry, ZipReader, damaged, is_small

_LONGEST_NAME = 255
_LONGEST_LINK = 4095
_KINDS = frozenset({0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK})
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Blobs(Protocol):
    """Files that were kept from earlier archives, by their digest."""

    def has(self, digest: bytes, size: int) -> bool:
        """Return whether a file of that digest and size is there, as far as that can be seen without reading it."""

    def pieces(self, digest: bytes) -> Iterator[bytes]:
        """Yield the content of a file.

        Raises:
            ArchiveError: it is gone or, at the latest after the last piece, its content is not that of the digest.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionRules:
    """How far an archive is trusted.

    Attributes:
        links_stay_inside: refuse links that could lead out of the target (for what a worker sends back).
        keep_special_bits: keep setuid, setgid and sticky bits.
        reserved: names at the top that an archive may not bring.
        written_last: names at the top whose appearance tells others that everything else is there.
        limits: how much an archive may hold.
        blobs: the files that an archive may refer to instead of bringing them; None refuses such an archive.
    """

    links_stay_inside: bool = True
    keep_special_bits: bool = False
    reserved: frozenset[str] = frozenset()
    written_last: frozenset[str] = frozenset()
    limits: ArchiveLimits = ArchiveLimits()  # noqa: RUF009 - it is frozen
    blobs: Blobs | None = None


FROM_TRANSMIT = ExtractionRules(links_stay_inside=False, keep_special_bits=True)
"""For a private data directory: an operator's own links may lead anywhere, as on the machine they come from."""


def extract(archive: IO[bytes], target: Path, rules: ExtractionRules) -> list[str]:
    """Extract an archive over a directory: what is there and not in the archive stays.

    The whole archive is checked before anything is written. Files and links that stand where a file or a link
    goes are replaced, never followed; where a directory goes, they are an error.

    Args:
        archive: the zip file, seekable.
        target: the directory; it is created if it is missing.
        rules: how far the archive is trusted.

    Returns:
        `name: reason` of each entry that was skipped.

    Raises:
        ArchiveError: the archive is damaged or exceeds a limit, or an entry would leave the target.
        OSError: the disk is full or refuses.

    Source: the modes (to the bit), times (to two seconds), merging and links of ansible-runner 2.4.3's extraction;
    unlike there, nothing is written through a link or outside of the target.
    """
    skipped: list[str] = []
    try:
        reader = ZipReader(archive)
        rules.limits.check_entries(reader.count)
        entries = list(_checked_entries(reader, rules, skipped))
        _check_size(entries, rules.limits, reader.archive_size)
        reader.check(entry.zip for entry in entries if entry.is_file)
    except (
        ValueError,
        OverflowError,
        OSError,
    ) as error:  # a name that is not text, an offset that is no place
        raise damaged(str(error)) from error
    _check_target(target, entries)
    _check_blobs(entries, rules.blobs)
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    _Extraction(reader, rules).run(target, entries)
    return skipped


class _Reference(NamedTuple):
    digest: bytes
    size: int


class _Entry(NamedTuple):
    zip: ZipEntry
    parts: tuple[str, ...]
    is_directory: bool
    link: str | None = None
    reference: _Reference | None = None

    @property
    def is_file(self) -> bool:
        return self.link is None and not self.is_directory


def _checked_entries(reader: ZipReader, rules: ExtractionRules, skipped: list[str]) -> Iterator[_Entry]:
    kinds: dict[tuple[str, ...], bool] = {}
    for found in reader.entries():
        parts = _safe_parts(found.name)
        if not parts:
            continue
        if parts[0] in rules.reserved:
            skipped.append(f"{found.name}: a reserved name")
            continue
        entry = _entry(reader, found, parts, rules)
        reason = _refusal(entry, rules)
        if reason:
            skipped.append(f"{found.name}: {reason}")
            continue
        if kinds.setdefault(parts, entry.is_directory) is not entry.is_directory:
            raise ArchiveError(f"the archive's entry `{found.name}` is both a directory and not one")
        yield entry
    _check_parents(kinds)


def _check_size(entries: Iterable[_Entry], limits: ArchiveLimits, archive_size: int) -> None:
    """Check how much the files are in all; those that the archive refers to are not compressed in it."""
    inside = sum(entry.zip.size for entry in entries if not entry.reference)
    kept = sum(entry.reference.size for entry in entries if entry.reference)
    limits.check_size(inside + kept, archive_size + kept)


def _check_blobs(entries: Iterable[_Entry], blobs: Blobs | None) -> None:
    """Refuse an archive that refers to what is not there any more."""
    for entry in entries:
        if entry.reference and not (blobs and blobs.has(*entry.reference)):
            raise ArchiveError(f"the archive's file `{entry.zip.name}` is not in the store of this machine")


def _check_parents(kinds: Mapping[tuple[str, ...], bool]) -> None:
    for parent in {parts[:-1] for parts in kinds}:
        for depth in range(1, len(parent) + 1):
            if kinds.get(parent[:depth]) is False:
                name = "/".join(parent[:depth])
                raise ArchiveError(
                    f"the archive's entry `{name}` is not a directory, but entries lie below it"
                )


def _check_target(target: Path, entries: list[_Entry]) -> None:
    """Refuse an archive that does not fit over what stands in the target."""
    kinds: dict[tuple[str, ...], int] = {}
    for entry in entries:
        for depth in range(1, len(entry.parts) + 1):
            parts = entry.parts[:depth]
            if parts not in kinds:
                kinds[parts] = _kind_of("/".join((str(target), *parts)))
            if not kinds[parts]:
                break
            wants_directory = depth < len(entry.parts) or entry.is_directory
            if wants_directory is not stat.S_ISDIR(kinds[parts]):
                raise _in_the_way(parts, wants_directory=wants_directory)


def _kind_of(path: str) -> int:
    """Return the kind of what stands at a path, or 0 if nothing does that can be seen."""
    try:
        return stat.S_IFMT(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return 0


def _in_the_way(parts: tuple[str, ...], *, wants_directory: bool) -> ArchiveError:
    name = "/".join(parts)
    if wants_directory:
        what = f"the archive's directory `{name}` is something else here"
        return ArchiveError(what, cause="a file or a link stands in its place")
    return ArchiveError(f"the archive's entry `{name}` is a directory here")


def _safe_parts(name: str) -> tuple[str, ...]:
    parent, slash, last = name.rpartition("/")
    parts = (*_safe_directory(parent + slash), *_safe_part(last, name))
    if len(parts) > DEEPEST:
        raise _too_long(name)
    return parts


@functools.lru_cache(maxsize=64)  # the entries of a directory come one after the other
def _safe_directory(name: str) -> tuple[str, ...]:
    if name.startswith("/"):
        raise _leads_out(name)
    return tuple(part for text in name.split("/") for part in _safe_part(text, name))


def _safe_part(text: str, name: str) -> tuple[str, ...]:
    """Return one part of a name, or nothing where there is none."""
    if text in {"", "."}:
        return ()
    if text == ".." or "\0" in text:
        raise _leads_out(name)
    if len(text) > _LONGEST_NAME or len(text.encode()) > _LONGEST_NAME:
        raise _too_long(name)
    return (text,)


def _leads_out(name: str) -> ArchiveError:
    return ArchiveError(f"the archive's entry `{name}` leads out of its target")


def _too_long(name: str) -> ArchiveError:
    return ArchiveError(f"the archive's entry `{name[:80]}...` has too long a name")


def _entry(reader: ZipReader, found: ZipEntry, parts: tuple[str, ...], rules: ExtractionRules) -> _Entry:
    if found.method == REFERENCE and rules.blobs is not None and not found.raw_name.endswith(b"/"):
        return _Entry(found, parts, is_directory=False, reference=_reference(reader, found))
    if found.method not in {STORED, DEFLATED}:
        raise ArchiveError(f"the archive's entry `{found.name}` is compressed in a way that is not supported")
    is_directory = found.raw_name.endswith(b"/")
    if not stat.S_ISLNK(found.mode):
        return _Entry(found, parts, is_directory)
    if not 0 < found.size <= _LONGEST_LINK or b"\0" in (text := reader.content(found)):
        raise ArchiveError(f"the archive's link `{found.name}` has no valid target")
    return _Entry(found, parts, is_directory, os.fsdecode(text))


def _reference(reader: ZipReader, found: ZipEntry) -> _Reference:
    content = reader.content(found) if found.size == found.packed_size == DIGEST_SIZE + 8 else b""
    if not content or stat.S_ISLNK(found.mode):
        raise damaged("it refers to nothing", found)
    return _Reference(content[:DIGEST_SIZE], int.from_bytes(content[DIGEST_SIZE:], "little"))


def _refusal(entry: _Entry, rules: ExtractionRules) -> str | None:
    kind = stat.S_IFMT(entry.zip.mode)
    if kind not in _KINDS:
        return "neither a file, a directory nor a link"
    if kind and entry.is_directory is not (kind == stat.S_IFDIR):
        return "its name and its mode do not agree on what it is"
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


def _depth(entry: _Entry) -> int:
    return len(entry.parts)


class _Extraction:
    """One extraction: directories are opened one below the other, never through a link."""

    def __init__(self, reader: ZipReader, rules: ExtractionRules) -> None:
        self._reader = reader
        self._rules = rules
        self._open: list[tuple[str, int]] = []
        self._entered: tuple[str, ...] | None = None
        self._loosened: list[tuple[int, int]] = []
        self._root = -1

    def run(self, target: Path, entries: list[_Entry]) -> None:
        self._root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            directories = sorted((entry for entry in entries if entry.is_directory), key=_depth)
            made = [entry for entry in directories if self._make_directory(entry)]
            files = [entry for entry in entries if entry.is_file]
            for entry in sorted(files, key=self._is_last):
                self._write_file(entry)
            for entry in entries:
                if entry.link is not None:
                    self._make_link(entry)
            for entry in sorted(made, key=_depth, reverse=True):
                self._finish_directory(entry)
        finally:
            self._leave(0)
            self._tighten()
            os.close(self._root)

    def _is_last(self, entry: _Entry) -> bool:
        return len(entry.parts) == 1 and entry.parts[0] in self._rules.written_last

    def _leave(self, depth: int) -> None:
        while len(self._open) > depth:
            os.close(self._open.pop()[1])

    def _enter(self, parts: tuple[str, ...]) -> int:
        """Return a descriptor of a directory below the target, made where it is missing."""
        if parts == self._entered:
            return self._current
        shared = 0
        while shared < min(len(parts), len(self._open)) and self._open[shared][0] == parts[shared]:
            shared += 1
        self._leave(shared)
        for name in parts[shared:]:
            descriptor = self._open_below(self._current, name)
            self._open.append((name, descriptor))
            self._loosen(descriptor)
        self._entered = parts
        return self._current

    def _loosen(self, descriptor: int) -> None:
        """Make a directory that stood there already writable while it is written to."""
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if mode & stat.S_IRWXU != stat.S_IRWXU:
            with contextlib.suppress(PermissionError):
                os.fchmod(descriptor, mode | stat.S_IRWXU)
                self._loosened.append((os.dup(descriptor), mode))

    def _tighten(self) -> None:
        for descriptor, mode in self._loosened:
            os.fchmod(descriptor, mode)
            os.close(descriptor)

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
            raise _in_the_way((name,), wants_directory=True) from error

    def _make_directory(self, entry: _Entry) -> bool:
        """Make a directory; return whether it is new, and so whether the archive decides its mode."""
        parent = self._enter(entry.parts[:-1])
        try:
            os.mkdir(entry.parts[-1], 0o700, dir_fd=parent)
        except FileExistsError:
            self._enter(entry.parts)
            return False
        return True

    def _clear(self, entry: _Entry, parent: int) -> None:
        """Remove what stands where an entry goes."""
        try:
            os.unlink(entry.parts[-1], dir_fd=parent)
        except FileNotFoundError:
            pass
        except IsADirectoryError as error:
            raise _in_the_way(entry.parts, wants_directory=False) from error

    def _write_file(self, entry: _Entry) -> None:
        descriptor = self._create(entry)
        try:
            for piece in self._content(entry):
                _write_all(descriptor, piece)
            # only now: a setuid bit must not come before the content it is meant for
            os.fchmod(descriptor, self._permissions(entry))
            os.utime(descriptor, (entry.zip.modified,) * 2)
        finally:
            os.close(descriptor)

    def _create(self, entry: _Entry) -> int:
        """Create a file of its own; most often nothing stands there, so that is tried first."""
        parent = self._enter(entry.parts[:-1])
        try:
            return os.open(entry.parts[-1], _CREATE, 0o600, dir_fd=parent)
        except FileExistsError:
            self._clear(entry, parent)
            return os.open(entry.parts[-1], _CREATE, 0o600, dir_fd=parent)

    def _content(self, entry: _Entry) -> Iterable[bytes]:
        if entry.reference and self._rules.blobs:
            return self._rules.blobs.pieces(entry.reference.digest)
        return (self._reader.content(entry.zip),) if is_small(entry.zip) else self._reader.pieces(entry.zip)

    def _permissions(self, entry: _Entry) -> int:
        if not entry.zip.mode:
            return 0o700 if entry.is_directory else 0o600
        return entry.zip.mode & (0o7777 if self._rules.keep_special_bits else 0o777)

    def _make_link(self, entry: _Entry) -> None:
        assert entry.link is not None
        parent = self._enter(entry.parts[:-1])
        self._clear(entry, parent)
        os.symlink(entry.link, entry.parts[-1], dir_fd=parent)

    def _finish_directory(self, entry: _Entry) -> None:
        descriptor = self._enter(entry.parts)
        os.utime(descriptor, (entry.zip.modified,) * 2)
        os.fchmod(descriptor, self._permissions(entry))


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
