"""Bytes to messages, without IO."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterator
from typing import Any

from receptor_runner.errors import StreamError
from receptor_runner.stream.archive_text import ArchiveText
from receptor_runner.stream.encoder import QUESTION_PREFIX
from receptor_runner.stream.messages import (
    ArchiveData,
    ArchiveEnd,
    ArchiveStart,
    Eof,
    Event,
    Keepalive,
    Kwargs,
    Message,
    Noise,
    Question,
    StatusLine,
    Unknown,
    WorkerLine,
)
from receptor_runner.stream.position import Position

LINE_LIMIT = 256 * 1024 * 1024
"""Bytes that one line may have; more is no stream of ours."""

EXCERPT_SIZE = 200

_BOM = b"\xef\xbb\xbf"
_BLANK_TEXT = re.compile(r"[ \t\r\n]*")
_scan = json.JSONDecoder().raw_decode


class Decoder:
    """Turns bytes, in pieces of any size, into messages.

    It accepts more than ansible-runner emits: blank lines, lines that are no messages, several objects on a line,
    whitespace inside of base64, kinds it does not know.

    Args:
        position: where the first byte that will be fed stands in the stream.
        whole_events: whether the data of events is wanted whole; else it holds `counter`, `uuid`, `event` and `stdout`
            only, which is several times as fast.
    """

    def __init__(self, position: Position | None = None, *, whole_events: bool = True) -> None:
        start = position or Position()
        self._whole_events = whole_events
        self._read_event: Callable[[bytes], Event | None] | None = None
        self._offset = self._began = start.offset
        self._archive: ArchiveText | None = None
        if start.archive_size is not None:
            self._archive = ArchiveText(start.archive_size, start.archive_received)
        self._buffer = bytearray()
        self._scanned = 0
        self.ended = start.ended

    @property
    def position(self) -> Position:
        """The place after the last whole message, or after the last whole piece of an archive."""
        return Position(
            offset=self._offset,
            archive_size=self._archive.size if self._archive else None,
            archive_received=self._archive.received if self._archive else 0,
            ended=self.ended,
        )

    @property
    def pending(self) -> int:
        """How many bytes were fed that are not yet part of a whole message."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take bytes and yield the messages they complete.

        The position moves along with the messages: after each one it is the place behind it. What comes after
        the stream's own end is dropped.

        Raises:
            ArchiveError: an archive's text is no base64.
            StreamError: a line is longer than any message can be.
        """
        if self.ended:
            return
        self._buffer += data
        moved = True
        while moved and not self.ended:
            if self._archive:
                moved = yield from self._next_of(self._archive)
            else:
                yield from self._events()
                moved = yield from self._line()

    def finish(self) -> Iterator[Message]:
        """Say that no more bytes come; yield what the last line holds, although it has no line end."""
        if not self.ended and self._archive is None and self._buffer:
            if self._buffer.startswith(_BOM):
                self._advance(len(_BOM))
            yield from self._pieces(bytes(self._buffer))

    def check_complete(self) -> None:
        """Raise StreamError unless the stream reached its own end."""
        if self.ended:
            return
        if self._archive:
            raise StreamError(
                "the stream ends inside of an archive",
                cause=f"received {self._archive.received} of {self._archive.size} bytes",
                offset=self._offset,
            )
        raise StreamError(
            "the stream ends before its end marker",
            cause=f"{self._offset + self.pending} bytes came",
            offset=self._offset,
        )

    def _advance(self, count: int) -> None:
        del self._buffer[:count]
        self._began = self._offset
        self._offset += count
        self._scanned = 0

    def _events(self) -> Iterator[Event]:
        """Yield the events that the buffer begins with: nearly all of a stream, so each call in this loop counts."""
        buffer = self._buffer
        while (end := buffer.find(b"\n", self._scanned)) >= 0:
            line = bytes(buffer[:end])
            if b'"counter"' not in line or not line.isascii():
                return
            event = (self._read_event or self._load_reader())(line)
            if event is None:  # json has to look: at another message, at NaN, at damage
                return
            del buffer[: end + 1]
            self._began = self._offset
            self._offset += end + 1
            self._scanned = 0
            yield event

    def expect_events(self) -> None:
        """Import what reads events now; otherwise that waits for the first one."""
        if self._read_event is None:
            self._load_reader()

    def _load_reader(self) -> Callable[[bytes], Event | None]:
        """Import what reads events: a worker reads none, and should not wait for the import."""
        from receptor_runner.stream.event_lines import read_event, read_reduced_event

        self._read_event = read_event if self._whole_events else read_reduced_event
        return self._read_event

    def _line(self) -> Generator[Message, None, bool]:
        """Yield what the next line holds, for which json has to look; return whether there was a whole line."""
        end = self._buffer.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._buffer)
            if self._scanned > LINE_LIMIT:
                raise StreamError("a line of the stream has no end", offset=self._offset)
            return False
        line = bytes(self._buffer[:end])
        if question := _question(line):
            self._advance(end + 1)
            yield question
            return True
        if line.startswith(_BOM):  # as a Windows tool puts it before what it passes on
            self._advance(len(_BOM))
            return True
        try:
            value = json.loads(line.decode())
        except (ValueError, RecursionError):
            yield from self._pieces(line)
            if not self.ended and self._archive is None:
                self._advance(1)
        else:
            self._advance(end + 1)
            yield self._message(value, line)
        return True

    def _pieces(self, line: bytes) -> Iterator[Message]:
        """Yield the objects and the noise of a line that is not exactly one JSON value."""
        text = line.decode(errors="surrogateescape")
        start = self._skip_blanks(text, 0)
        first = _first_object(text, start)
        if first > start:
            yield self._noise(text[start:first], glued=first < len(text))
        start = first
        while start < len(text) and not self.ended and self._archive is None:
            value, end = _scan(text, start)
            raw = text[start:end].encode(errors="surrogateescape")
            self._advance(len(raw))
            yield self._message(value, raw)
            if self._archive is None:
                start = self._skip_blanks(text, end)

    def _skip_blanks(self, text: str, start: int) -> int:
        end = _behind_blanks(text, start)
        self._advance(end - start)
        return end

    def _noise(self, text: str, *, glued: bool) -> Noise:
        raw = text.encode(errors="surrogateescape")
        noise = Noise(self._offset, len(raw), raw[:EXCERPT_SIZE], damaged=glued or raw.startswith(b"{"))
        self._advance(len(raw))
        return noise

    def _message(self, value: Any, raw: bytes) -> Message:
        if not isinstance(value, dict):
            return Unknown(value)
        if "status" in value:
            return StatusLine(value)
        if "zipfile" in value:
            return self._archive_start(value["zipfile"], raw)
        if "eof" in value:
            self.ended = True
            return Eof()
        if isinstance(value.get("kwargs"), dict):
            return Kwargs(value["kwargs"])
        if value.get("event") == "keepalive":
            return Keepalive()
        if type(value.get("counter")) is int and value["counter"] and value.get("uuid"):
            return Event(value, raw)
        if isinstance(value.get("worker_output"), str):
            return WorkerLine(value["worker_output"])
        return Unknown(value)

    def _archive_start(self, size: Any, raw: bytes) -> Message:
        if not _is_size(size):
            return Noise(self._began, len(raw), raw[:EXCERPT_SIZE], damaged=True)
        self._archive = ArchiveText(size)
        return ArchiveStart(size)

    def _next_of(self, archive: ArchiveText) -> Generator[Message, None, bool]:
        """Yield the next piece of the archive; return whether there was one, or its end was reached."""
        consumed, data = archive.take(self._buffer, self._offset)
        if consumed:
            self._advance(consumed)
            yield ArchiveData(data)
        if archive.is_complete:
            self._archive = None
            yield ArchiveEnd()
        return archive.is_complete


def _first_object(text: str, start: int) -> int:
    """Return where the messages of a line begin, or the line's length if it holds none.

    They reach to the line's end: an object with something else behind it may lie inside of a damaged message, and
    then is none itself. A line that begins like an object is never searched further.
    """
    if not _only_values(text, start):
        start = -1 if text.startswith("{", start) else text.find('{"', start)
        if start < 0 or not _only_values(text, start):
            return len(text)
    return start


def _question(line: bytes) -> Question | None:
    """Return the question that a line is, None for any other line."""
    if not line.startswith(QUESTION_PREFIX):
        return None
    try:
        digests = json.loads(line[len(QUESTION_PREFIX) :])
        return Question(tuple(bytes.fromhex(digest) for digest in digests))
    except (TypeError, ValueError, RecursionError):
        return None


def _is_size(value: Any) -> bool:
    return type(value) is int and value >= 0


def _behind_blanks(text: str, start: int) -> int:
    blanks = _BLANK_TEXT.match(text, start)
    return blanks.end() if blanks else start


def _only_values(text: str, start: int) -> bool:
    """Return whether objects and lists, with blanks between them, are all there is up to the end."""
    try:
        while start < len(text):
            if text[start] not in "{[":
                return False
            start = _behind_blanks(text, _scan(text, start)[1])
    except (ValueError, RecursionError):
        return False
    return True
