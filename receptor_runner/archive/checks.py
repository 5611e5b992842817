"""What an archive may hold: its entries, judged before anything of them is written."""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from receptor_runner.archive.limits import ArchiveLimits
from receptor_runner.archive.zip_format import DEEPEST, DEFLATED, DIGEST_SIZE, REFERENCE, STORED
from receptor_runner.archive.zip_reader import ZipEntry, ZipReader, damaged
from receptor_runner.errors import ArchiveError

_LONGEST_NAME = 255
_LONGEST_LINK = 4095
_KINDS = frozenset({0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK})


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
        in_two_processes: let a second process write, if there are very many files: only where a new process of this
            interpreter is nothing unusual.
    """

    links_stay_inside: bool = True
    keep_special_bits: bool = False
    reserved: frozenset[str] = frozenset()
    written_last: frozenset[str] = frozenset()
    limits: ArchiveLimits = ArchiveLimits()  # noqa: RUF009 - it is frozen
    blobs: Blobs | None = None
    in_two_processes: bool = False


FROM_TRANSMIT = ExtractionRules(links_stay_inside=False, keep_special_bits=True)
"""For a private data directory: an operator's own links may lead anywhere, as on the machine they come from."""


class Reference(NamedTuple):
    """A file that the reader has kept, in place of its content."""

    digest: bytes
    size: int


class Entry(NamedTuple):
    """An entry that may be extracted.

    Attributes:
        zip: how it stands in the archive.
        parts: its name, taken apart; none of them leads out of the target.
        is_directory: whether it is a directory.
        link: the text of a link; None for anything else.
        reference: which kept file it stands for; None if the archive has its content.
    """

    zip: ZipEntry
    parts: tuple[str, ...]
    is_directory: bool
    link: str | None = None
    reference: Reference | None = None

    @property
    def is_file(self) -> bool:
        return self.link is None and not self.is_directory

    @property
    def content_size(self) -> int:
        """Bytes of the file that is written."""
        return self.reference.size if self.reference else self.zip.size


class CheckedEntries(NamedTuple):
    """The entries that are extracted, and whether two of them have one name."""

    entries: list[Entry]
    has_twins: bool


def checked_entries(reader: ZipReader, rules: ExtractionRules, skipped: list[str]) -> CheckedEntries:
    """Return the entries that are extracted.

    Args:
        reader: the archive.
        rules: how far it is trusted.
        skipped: takes `name: reason` of each entry that is not extracted.

    Raises:
        ArchiveError: an entry would leave the target, or contradicts another one.
    """
    kinds: dict[tuple[str, ...], bool] = {}
    entries: list[Entry] = []
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
        entries.append(entry)
    _check_parents(kinds)
    return CheckedEntries(entries, len(kinds) < len(entries))


def check_size(entries: Iterable[Entry], limits: ArchiveLimits, archive_size: int) -> None:
    """Check how much the files are in all; those that the archive refers to are not compressed in it.

    Raises:
        ArchiveError: it is more than the limits allow.
    """
    inside = sum(entry.zip.size for entry in entries if not entry.reference)
    kept = sum(entry.reference.size for entry in entries if entry.reference)
    limits.check_size(inside + kept, archive_size + kept)


def check_blobs(entries: Iterable[Entry], blobs: Blobs | None) -> None:
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


def check_target(target: Path, entries: list[Entry]) -> None:
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
                raise in_the_way(parts, wants_directory=wants_directory)


def _kind_of(path: str) -> int:
    """Return the kind of what stands at a path, or 0 if nothing does that can be seen."""
    try:
        return stat.S_IFMT(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return 0


def in_the_way(parts: tuple[str, ...], *, wants_directory: bool) -> ArchiveError:
    """Return the error for an entry whose place is taken by something of another kind."""
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


def _entry(reader: ZipReader, found: ZipEntry, parts: tuple[str, ...], rules: ExtractionRules) -> Entry:
    if found.method == REFERENCE and rules.blobs is not None and not found.name.endswith("/"):
        return Entry(found, parts, is_directory=False, reference=_reference(reader, found))
    if found.method not in {STORED, DEFLATED}:
        raise ArchiveError(f"the archive's entry `{found.name}` is compressed in a way that is not supported")
    is_directory = found.name.endswith("/")
    if not stat.S_ISLNK(found.mode):
        return Entry(found, parts, is_directory)
    if not 0 < found.size <= _LONGEST_LINK or b"\0" in (text := reader.content(found)):
        raise ArchiveError(f"the archive's link `{found.name}` has no valid target")
    return Entry(found, parts, is_directory, os.fsdecode(text))


def _reference(reader: ZipReader, found: ZipEntry) -> Reference:
    content = reader.content(found) if found.size == found.packed_size == DIGEST_SIZE + 8 else b""
    if not content or stat.S_ISLNK(found.mode):
        raise damaged("it refers to nothing", found)
    return Reference(content[:DIGEST_SIZE], int.from_bytes(content[DIGEST_SIZE:], "little"))


def _refusal(entry: Entry, rules: ExtractionRules) -> str | None:
    kind = stat.S_IFMT(entry.zip.mode)
    if kind not in _KINDS:
        return "neither a file, a directory nor a link"
    if kind and entry.is_directory is not (kind == stat.S_IFDIR):
        return "its name and its mode do not agree on what it is"
    if entry.link is not None and rules.links_stay_inside and not _stays_inside(entry):
        return f"a link that leads out of the directory, to {entry.link}"
    return None


def _stays_inside(entry: Entry) -> bool:
    """Whether a link can only lead to places inside: no absolute target, and `..` only at its beginning.

    A `..` behind a name could climb out through another link.
    """
    assert entry.link is not None
    parts = [part for part in entry.link.split("/") if part not in {"", "."}]
    climbs = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    return not entry.link.startswith("/") and climbs < len(entry.parts) and ".." not in parts[climbs:]
