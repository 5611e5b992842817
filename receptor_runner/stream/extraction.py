"""Zip archives to directories, safely.

Every archive is treated as hostile: nothing is written outside of the target, no link is followed, modes come after
contents, and nothing at all is written of an archive that is refused; `archive_checks` judges it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

from receptor_runner.stream.archive_checks import (
    Entry,
    ExtractionRules,
    check_blobs,
    check_size,
    check_target,
    checked_entries,
    in_the_way,
)
from receptor_runner.stream.parallel import Background
from receptor_runner.stream.zip_reader import ZipReader, damaged, is_small

_LARGE_SIZE = 256 * 1024  # where a thread that writes gains more than handing over to it costs
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


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
        entries = list(checked_entries(reader, rules, skipped))
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
    _Extraction(reader, rules).run(target, entries)
    return skipped


def _depth(entry: Entry) -> int:
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
        self._file = -1

    def run(self, target: Path, entries: list[Entry]) -> None:
        self._root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            directories = sorted((entry for entry in entries if entry.is_directory), key=_depth)
            made = [entry for entry in directories if self._make_directory(entry)]
            files = [entry for entry in entries if entry.is_file]
            self._write_files(sorted(files, key=self._is_last))
            for entry in entries:
                if entry.link is not None:
                    self._make_link(entry)
            for entry in sorted(made, key=_depth, reverse=True):
                self._finish_directory(entry)
        finally:
            self._leave(0)
            self._tighten()
            os.close(self._root)

    def _is_last(self, entry: Entry) -> bool:
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
            raise in_the_way((name,), wants_directory=True) from error

    def _make_directory(self, entry: Entry) -> bool:
        """Make a directory; return whether it is new, and so whether the archive decides its mode."""
        parent = self._enter(entry.parts[:-1])
        try:
            os.mkdir(entry.parts[-1], 0o700, dir_fd=parent)
        except FileExistsError:
            self._enter(entry.parts)
            return False
        return True

    def _clear(self, entry: Entry, parent: int) -> None:
        """Remove what stands where an entry goes."""
        try:
            os.unlink(entry.parts[-1], dir_fd=parent)
        except FileNotFoundError:
            pass
        except IsADirectoryError as error:
            raise in_the_way(entry.parts, wants_directory=False) from error

    def _write_files(self, entries: Iterable[Entry]) -> None:
        """Write files in their order; a thread writes large ones, while this one reads and checks what follows."""
        try:
            with Background() as background:
                for entry in entries:
                    if entry.content_size > _LARGE_SIZE:
                        self._write_file(entry, background.call)
                    else:
                        background.wait()
                        self._write_file(entry, _call)
        finally:
            self._close_file()

    def _write_file(self, entry: Entry, call: Callable[[Callable[[Any], object], Any], object]) -> None:
        call(self._begin_file, entry)
        for piece in self._content(entry):
            call(self._write, piece)
        call(self._end_file, entry)

    def _begin_file(self, entry: Entry) -> None:
        self._file = self._create(entry)

    def _write(self, piece: bytes) -> None:
        _write_all(self._file, piece)

    def _end_file(self, entry: Entry) -> None:
        # only now: a setuid bit must not come before the content it is meant for
        os.fchmod(self._file, self._permissions(entry))
        os.utime(self._file, (entry.zip.modified,) * 2)
        self._close_file()

    def _close_file(self) -> None:
        if self._file >= 0:
            descriptor, self._file = self._file, -1
            os.close(descriptor)

    def _create(self, entry: Entry) -> int:
        """Create a file of its own; most often nothing stands there, so that is tried first."""
        parent = self._enter(entry.parts[:-1])
        try:
            return os.open(entry.parts[-1], _CREATE, 0o600, dir_fd=parent)
        except FileExistsError:
            self._clear(entry, parent)
            return os.open(entry.parts[-1], _CREATE, 0o600, dir_fd=parent)

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
        parent = self._enter(entry.parts[:-1])
        self._clear(entry, parent)
        os.symlink(entry.link, entry.parts[-1], dir_fd=parent)

    def _finish_directory(self, entry: Entry) -> None:
        descriptor = self._enter(entry.parts)
        os.utime(descriptor, (entry.zip.modified,) * 2)
        os.fchmod(descriptor, self._permissions(entry))


def _call(function: Callable[[Any], object], argument: Any) -> None:
    function(argument)


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
