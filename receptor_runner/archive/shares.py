"""Packs what was found: this process lists and writes; where there is much, others read and compress a part of it."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from receptor_runner.archive.file_reader import Listed, Piece, chunks, open_large, read_piece
from receptor_runner.archive.packing_process import PackingProcess
from receptor_runner.archive.parallel import processors
from receptor_runner.archive.zip_writer import Meta, ZipWriter

_SHARE = 64  # entries: a millisecond's work, if they are small
_MANY_SHARES, _MANY_PIECES = 16, 4  # listed, or read: from then on there is enough to do for other processes
_MOST_PROCESSES = 3  # besides this one
_MOST_AHEAD = 1 << 20  # bytes

Found = tuple[str, os.DirEntry[str]]
"""What was found in a directory, behind its name in the archive."""


def pack_found(archive: ZipWriter, found: Iterable[Found | str], skipped: list[str]) -> None:
    """Add what was found to an archive, in its order, whatever the number of processes.

    Args:
        archive: what it is added to.
        found: what was found, and `name: reason` for what cannot travel.
        skipped: takes `name: reason` for all that cannot travel.

    Raises:
        MissingInput: a file is there but cannot be read.
        OSError: the archive takes no more.
    """
    shares = _shares(found, skipped)
    first = list(itertools.islice(shares, _MANY_SHARES))
    with _Packing(archive, skipped) as packing:
        if len(first) == _MANY_SHARES:
            packing.start_processes()
        for listed in itertools.chain(first, shares):
            packing.take(listed)
        packing.finish()


def _shares(found: Iterable[Found | str], skipped: list[str]) -> Iterator[list[Listed]]:
    listed: list[Listed] = []
    for item in found:
        if isinstance(item, str):
            skipped.append(item)
            continue
        name, entry = item
        listed.append((name, entry.path, entry.is_file(follow_symlinks=False)))
        if len(listed) == _SHARE:
            yield listed
            listed = []
    yield listed


class _Share:
    """Some of what was listed, and how far it is.

    Attributes:
        listed: what was listed.
        process: who reads it; None for this process.
        ready: pieces that this process has read before it was their turn.
        read: how much of it this process has read.
        written: how much of it is in the archive.
    """

    __slots__ = ("listed", "process", "read", "ready", "written")

    def __init__(self, listed: list[Listed], process: PackingProcess | None) -> None:
        self.listed = listed
        self.process = process
        self.ready: deque[Piece] = deque()
        self.read = self.written = 0


class _Packing:
    """Shares on their way into an archive.

    Args:
        archive: what they are added to.
        skipped: as for `pack_found`.
    """

    def __init__(self, archive: ZipWriter, skipped: list[str]) -> None:
        self._archive = archive
        self._skipped = skipped
        self._processes: list[PackingProcess] = []
        self._shares: deque[_Share] = deque()
        self._until_many = _MANY_PIECES
        self._ahead = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.close()

    def start_processes(self) -> None:
        """Have other processes help, unless they do."""
        if not self._processes:
            count = min(processors() - 1, _MOST_PROCESSES)
            self._processes = [PackingProcess(self._archive.compression) for _number in range(count)]

    def take(self, listed: list[Listed]) -> None:
        """Take the next share: another process reads it, if one keeps up, or this one does."""
        process = next((process for process in self._processes if process.take(listed)), None)
        share = _Share(listed, process)
        self._shares.append(share)
        while self._shares and (self._is_turn_of_ready() or self._read_ahead(share)):
            pass

    def finish(self) -> None:
        """Write all that is left; what another process has not begun is read here, while that one reads."""
        begun: set[PackingProcess] = set()
        for share in self._shares:
            if share.process in begun:
                share.process = None
            elif share.process:
                begun.add(share.process)
        for share in list(self._shares):
            while self._read_ahead(share):
                pass
        while self._shares:
            self._write_next()

    def _is_turn_of_ready(self) -> bool:
        """Write the next piece, if that need not wait for another process; return whether it was."""
        process = self._shares[0].process
        if process and not process.is_ready:
            return False
        self._write_next()
        return True

    def _read_ahead(self, share: _Share) -> bool:
        """Read a piece of a share before its turn, or wait if there are enough; return False if all of it is read."""
        if share.process or share.read == len(share.listed):
            return False
        if self._ahead >= _MOST_AHEAD:
            self._write_next()
        else:
            piece = self._read(share)
            share.ready.append(piece)
            self._ahead += len(piece.segment.data)
        return True

    def _read(self, share: _Share) -> Piece:
        piece = read_piece(self._archive.compression, share.listed, share.read)
        share.read = piece.end + piece.is_large
        self._until_many -= 1
        if self._until_many == 0:
            self.start_processes()
        return piece

    def _write_next(self) -> None:
        """Write the next piece of the first share."""
        share = self._shares[0]
        if share.written < len(share.listed):
            self._write(share, self._next_piece(share))
        if share.written == len(share.listed):
            self._shares.popleft()
            if share.process:
                share.process.finished()

    def _next_piece(self, share: _Share) -> Piece:
        if share.ready:
            piece = share.ready.popleft()
            self._ahead -= len(piece.segment.data)
            return piece
        if share.process:
            if answer := share.process.piece():
                return answer
            share.process, share.read = None, share.written
        return self._read(share)

    def _write(self, share: _Share, piece: Piece) -> None:
        self._archive.add_segment(piece.segment)
        self._skipped += piece.skipped
        share.written = piece.end
        if piece.is_large:
            self._write_large(*share.listed[piece.end])
            share.written += 1

    def _write_large(self, name: str, path: str, _is_file: bool) -> None:
        try:
            descriptor, status = open_large(path)
        except FileNotFoundError:
            self._skipped.append(f"{name}: vanished")
            return
        with open(descriptor, "rb", buffering=0):
            meta = Meta(name, status.st_mode, status.st_mtime)
            self._archive.add_stream(meta, chunks(descriptor, path), status.st_size)
