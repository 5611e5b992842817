"""Zip archives to directories, safely.

Every archive is treated as hostile: nothing is written outside of the target, no link is followed, modes come after
contents, and nothing at all is written of an archive that is refused; `checks` judges it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from receptor_runner.archive.checks import (
    Entry,
    ExtractionRules,
    check_blobs,
    check_size,
    check_target,
    checked_entries,
    in_the_way,
)
from receptor_runner.archive.frames import write_all
from receptor_runner.archive.kept_files import KeptFile, marked_files
from receptor_runner.archive.parallel import Background, processors
from receptor_runner.archive.small_files import create, finish, write_file
from receptor_runner.archive.target_directories import TargetDirectories
from receptor_runner.archive.writing_process import WritingProcess, batched
from receptor_runner.archive.zip_reader import ZipReader, damaged, is_small

if TYPE_CHECKING:
    from receptor_runner.archive.small_files import Batch, File

_SMALL_SIZE = 256 * 1024
"""Up to this size a file is written at once; a larger one, in pieces, gains more by a thread than that costs."""

_MANY_FILES = 4000
"""From so many small files on, a second process gains much more than its start costs."""


def extract(
    archive: IO[bytes], target: Path, rules: ExtractionRules, *, marked: list[KeptFile] | None = None
) -> list[str]:
    """Extract an archive over a directory: what is there and not in the archive stays.

    The whole archive is checked before anything is written. Files and links that stand where a file or a link
    goes are replaced, never followed; where a directory goes, they are an error.

    Args:
        archive: the zip file, seekable.
        target: the directory; it is created if it is missing.
        rules: how far the archive is trusted.
        marked: takes the files that the archive's writer lets its reader keep; None if nobody keeps any.

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
        entries, has_twins = checked_entries(reader, rules, skipped)
        check_size(entries, rules.limits, reader.archive_size)
        reader.check(entry.zip for entry in entries if entry.is_file)
    except (
        ValueError,
        OverflowError,
        OSError,
    ) as error:  # a name that is not text, an offset that is no place
        raise damaged(str(error)) from error
    check_target(target, entries)
    check_blobs(entries, rules.blobs)
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TargetDirectories(target) as directories:
        _Extraction(reader, rules, directories).run(entries, in_order=has_twins)
    if marked is not None:
        marked += marked_files(entry.zip for entry in entries)
    return skipped


def _depth(entry: Entry) -> int:
    return len(entry.parts)


class _Extraction:
    """One extraction, of entries that have been checked."""

    def __init__(self, reader: ZipReader, rules: ExtractionRules, directories: TargetDirectories) -> None:
        self._reader = reader
        self._rules = rules
        self._directories = directories
        self._file = -1

    def run(self, entries: list[Entry], *, in_order: bool) -> None:
        directories = sorted((entry for entry in entries if entry.is_directory), key=_depth)
        made = [entry for entry in directories if self._make_directory(entry)]
        files = sorted((entry for entry in entries if entry.is_file), key=self._is_last)
        self._write_files(files if in_order else self._share(files, made))
        for entry in entries:
            if entry.link is not None:
                self._make_link(entry)
        for entry in sorted(made, key=_depth, reverse=True):
            self._finish_directory(entry)

    def _is_last(self, entry: Entry) -> bool:
        return len(entry.parts) == 1 and entry.parts[0] in self._rules.written_last

    def _make_directory(self, entry: Entry) -> bool:
        """Make a directory; return whether it is new, and so whether the archive decides its mode."""
        parent = self._directories.enter(entry.parts[:-1])
        try:
            os.mkdir(entry.parts[-1], 0o700, dir_fd=parent)
        except FileExistsError:
            self._directories.enter(entry.parts)
            return False
        return True

    def _clear(self, parts: tuple[str, ...], parent: int) -> None:
        """Remove what stands where an entry goes."""
        try:
            os.unlink(parts[-1], dir_fd=parent)
        except FileNotFoundError:
            pass
        except IsADirectoryError as error:
            raise in_the_way(parts, wants_directory=False) from error

    def _share(self, files: list[Entry], made: list[Entry]) -> list[Entry]:
        """Write very many small files together with a second process; return the files that are left.

        Only what lies in directories of this extraction is shared: nothing has to be replaced there, or made writable
        for a while. The order is anyhow, so no name may come twice.
        """
        if len(files) < _MANY_FILES or not self._rules.in_two_processes or processors() < 2:
            return files
        new = {entry.parts for entry in made}
        shared = (entry for entry in files if _is_shareable(entry, new))
        with WritingProcess(self._directories.root) as second:
            for batch in batched(map(self._small_file, shared)):
                if not second.take(batch):
                    self._write_batch(batch)
            for batch in second.finish():
                self._write_batch(batch)
        return [entry for entry in files if not _is_shareable(entry, new)]

    def _write_batch(self, batch: Batch) -> None:
        for file in batch:
            self._write_small(file)

    def _write_files(self, entries: Iterable[Entry]) -> None:
        """Write files in their order; a thread writes large ones, while this one reads and checks what follows."""
        try:
            with Background() as background:
                for entry in entries:
                    if entry.content_size > _SMALL_SIZE:
                        self._write_large(entry, background)
                    else:
                        background.wait()
                        self._write_small(self._small_file(entry))
        finally:
            self._close_file()

    def _small_file(self, entry: Entry) -> File:
        content = b"".join(self._content(entry))
        return entry.parts[:-1], entry.parts[-1], content, self._permissions(entry), entry.zip.modified

    def _write_small(self, file: File) -> None:
        parent = self._directories.enter(file[0])
        try:
            write_file(parent, file)
        except FileExistsError:
            self._clear((*file[0], file[1]), parent)
            write_file(parent, file)

    def _write_large(self, entry: Entry, background: Background) -> None:
        background.call(self._begin_file, entry)
        for piece in self._content(entry):
            background.call(self._write, piece)
        background.call(self._end_file, entry)

    def _begin_file(self, entry: Entry) -> None:
        parent = self._directories.enter(entry.parts[:-1])
        try:
            self._file = create(parent, entry.parts[-1])
        except FileExistsError:
            self._clear(entry.parts, parent)
            self._file = create(parent, entry.parts[-1])

    def _write(self, piece: bytes) -> None:
        write_all(self._file, piece)

    def _end_file(self, entry: Entry) -> None:
        finish(self._file, self._permissions(entry), entry.zip.modified)
        self._close_file()

    def _close_file(self) -> None:
        if self._file >= 0:
            descriptor, self._file = self._file, -1
            os.close(descriptor)

    def _content(self, entry: Entry) -> Iterable[bytes]:
        if entry.reference and self._rules.blobs:
            return self._rules.blobs.pieces(entry.reference.digest)
        return (self._reader.content(entry.zip),) if is_small(entry.zip) else self._reader.pieces(entry.zip)

    def _permissions(self, entry: Entry) -> int:
        if not entry.zip.mode:
            return 0o700 if entry.is_directory else 0o600
        return entry.zip.mode & (0o7777 if self._rules.keep_special_bits else 0o777)

    def _make_link(self, entry: Entry) -> None:
        assert entry.link is not None
        parent = self._directories.enter(entry.parts[:-1])
        self._clear(entry.parts, parent)
        os.symlink(entry.link, entry.parts[-1], dir_fd=parent)

    def _finish_directory(self, entry: Entry) -> None:
        descriptor = self._directories.enter(entry.parts)
        os.utime(descriptor, (entry.zip.modified,) * 2)
        os.fchmod(descriptor, self._permissions(entry))


def _is_shareable(entry: Entry, new: set[tuple[str, ...]]) -> bool:
    """Whether a second process may write a file: a small one, in a directory that is new, as are all above it."""
    return entry.content_size <= _SMALL_SIZE and entry.parts[:-1] in new and entry.parts[:1] in new
