"""What a worker takes in: the transmit stream with its job and archives, or a question about the store."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from receptor_runner.archive.checks import FROM_TRANSMIT
from receptor_runner.archive.extraction import extract
from receptor_runner.archive.kept_files import KeptFile
from receptor_runner.archive.limits import ArchiveLimits
from receptor_runner.archive.parallel import Background
from receptor_runner.archive.zip_format import DEFAULT_LEVEL, SPOOL_MEMORY
from receptor_runner.errors import ArchiveError, OutputFailed, StreamError
from receptor_runner.outcome import Outcome, Status
from receptor_runner.result_stream import ResultStream
from receptor_runner.store.blobs import Store
from receptor_runner.stream.decoder import Decoder
from receptor_runner.stream.messages import (
    ArchiveData,
    ArchiveEnd,
    ArchiveStart,
    Kwargs,
    Message,
    Noise,
    Question,
    Unknown,
)
from receptor_runner.system.cancel import CancelToken

BAD_STREAM = "Failed to JSON parse a line from transmit stream."
BAD_ARCHIVE = "Failed to extract private data directory on worker."


@dataclass(slots=True)
class Received:
    """The content of a transmit stream."""

    options: dict[str, Any] | None = None
    question: Question | None = None
    archives: list[IO[bytes]] = field(default_factory=list)
    results_level: int = DEFAULT_LEVEL
    _is_large: bool = False

    def take(self, message: Message, background: Background) -> None:
        """Keep what a message brings.

        Args:
            message: the next one of the stream.
            background: writes large archives.

        Raises:
            StreamError: the message is damaged.
            OSError: there is no room for its archive.
        """
        match message:
            case Kwargs(options):
                self.options = options
            case Question():
                self.question = message
            case ArchiveStart(size):
                self.archives.append(tempfile.SpooledTemporaryFile(max_size=SPOOL_MEMORY))  # noqa: SIM115 - see close
                self._is_large = size > SPOOL_MEMORY
            case ArchiveData(data) if self._is_large:
                background.call(self.archives[-1].write, data)
            case ArchiveData(data):
                self.archives[-1].write(data)
            case ArchiveEnd():
                background.wait()
            case Noise(damaged=True):
                raise StreamError(BAD_STREAM, cause=str(message), offset=message.offset)
            case Unknown({"results_compression_level": int(level)}) if 0 <= level <= 9:
                self.results_level = level
            case _:
                pass

    def close(self) -> None:
        for archive in self.archives:
            archive.close()


def receive(chunks: Iterator[bytes], received: Received, stop: CancelToken) -> bool:
    """Read until the end marker; return False if a stop was requested before.

    Args:
        chunks: the transmit stream.
        received: takes its content.
        stop: ends the reading.

    Raises:
        StreamError: the stream is damaged or incomplete, or has no job.
        OutputFailed: there is no room for its archive.
    """
    decoder = Decoder()
    try:
        with Background() as background:
            for message in _messages(chunks, decoder):
                received.take(message, background)
        if stop.requested:
            return False
        decoder.check_complete()
        if received.options is None and received.question is None:
            raise StreamError("the stream has no job", cause="its end marker came before any options")
        return True
    except ArchiveError as error:
        raise ArchiveError(BAD_ARCHIVE, cause=str(error), offset=error.offset) from error
    except StreamError as error:
        if error.what == BAD_STREAM:
            raise
        raise StreamError(BAD_STREAM, cause=str(error), offset=error.offset) from error
    except OSError as error:
        raise OutputFailed("cannot store the received archive", cause=error.strerror) from error


def _messages(chunks: Iterator[bytes], decoder: Decoder) -> Iterator[Message]:
    for chunk in chunks:
        yield from decoder.feed(chunk)
        if decoder.ended:
            break
    yield from decoder.finish()


def answer(question: Question, stream: ResultStream, store: Store | None) -> Outcome:
    """Say which files of a question the store lacks; those that it has count as used, so that they stay for the job.

    Raises:
        StreamError: there is no store.
    """
    if store is None:
        raise StreamError(BAD_STREAM, cause="it asks for a store, and this worker has none")
    stream.lacking([number for number, digest in enumerate(question.digests) if not store.has(digest)])
    return Outcome(status=Status.SUCCESSFUL, rc=0)


def extract_archives(received: Received, directory: Path, store: Store | None) -> list[KeptFile]:
    """Extract what was received; return the files that the store may keep.

    Raises:
        ArchiveError: an archive is refused, or refers to what the store lacks.
    """
    limits = ArchiveLimits.from_environment(os.environ)
    rules = dataclasses.replace(FROM_TRANSMIT, limits=limits, blobs=store, in_two_processes=True)
    kept: list[KeptFile] = []
    for archive in received.archives:
        try:
            archive.seek(0)
            extract(archive, directory, rules, marked=kept if store else None)
        except (ArchiveError, OSError) as error:
            raise ArchiveError(BAD_ARCHIVE, cause=str(error)) from error
    return kept
