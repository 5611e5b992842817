"""The messages of the stream, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Kwargs:
    """The job's options (transmit to worker)."""

    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StatusLine:
    """A change of the job's status (worker to process)."""

    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the job.

    Attributes:
        data: the event, or only its `counter`, `uuid` and `stdout` if the decoder was asked for no more.
        raw: its bytes as they came, without the line end.
    """

    data: dict[str, Any]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Keepalive:
    """A sign of life that carries nothing."""


@dataclass(frozen=True, slots=True)
class ArchiveStart:
    """An archive follows.

    Attributes:
        size: bytes of the zip file.
    """

    size: int


@dataclass(frozen=True, slots=True)
class ArchiveData:
    """The next bytes of the zip file, already out of base64."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ArchiveEnd:
    """The archive is complete."""


@dataclass(frozen=True, slots=True)
class Eof:
    """The stream's own end; nothing after it belongs to the stream."""


@dataclass(frozen=True, slots=True)
class WorkerLine:
    """A line that something in the worker printed, outside of the job's own output."""

    text: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A JSON value of no known kind: an extension of a newer peer, to be passed over."""

    value: Any


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that are no message. Receptor merges a worker's stderr into its stdout, so they do arrive.

    Attributes:
        offset: where in the stream they begin.
        size: how many bytes there are.
        excerpt: the first of them.
        damaged: whether a message may have stood there: they begin like one, or one is glued behind them.
    """

    offset: int
    size: int
    excerpt: bytes
    damaged: bool

    def __str__(self) -> str:
        text = self.excerpt.decode(errors="backslashreplace").strip()
        kind = "damaged message" if self.damaged else "noise"
        return f"{kind} at offset {self.offset} ({self.size} bytes): {text}"


@dataclass(frozen=True, slots=True)
class Question:
    """Which of these digests do you lack? (transmit to worker, instead of a job)

    Attributes:
        digests: SHA-256 of files.
    """

    digests: tuple[bytes, ...]


Message = (
    Kwargs
    | StatusLine
    | Event
    | Keepalive
    | ArchiveStart
    | ArchiveData
    | ArchiveEnd
    | Eof
    | WorkerLine
    | Unknown
    | Question
    | Noise
)
