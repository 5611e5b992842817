"""Phase 3: the stream from a worker becomes the artifacts directory, and handlers are told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from receptor_runner.errors import StreamError
from receptor_runner.handlers import Handlers, RunnerConfig
from receptor_runner.outcome import Outcome, Status
from receptor_runner.results.checkpoint import Checkpoint
from receptor_runner.results.job import JobResults
from receptor_runner.stream.decoder import Decoder
from receptor_runner.stream.messages import Message


class Processor:
    """Takes the stream in pieces and writes the artifacts.

    Args:
        artifact_dir: where the artifacts go; it is made if it is missing.
        config: what handlers are told of the job.
        handlers: whom to tell what.
        checkpoint: where an earlier processor of the same stream stopped. If its files are not there any more, the
            stream is taken from its beginning: feed it from `offset` on.

    Raises:
        OutputFailed: the artifacts cannot be written.
        ConfigError: the environment sets a limit on archives that is not a number.

    Source: files, modes and handler calls of ansible-runner 2.4.3's process; unlike there, a damaged or unfinished
    stream is an error, `stdout` grows while the job runs, and `status` exists after an error too.
    """

    def __init__(
        self,
        artifact_dir: Path,
        *,
        config: RunnerConfig,
        handlers: Handlers | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        start = checkpoint if checkpoint and checkpoint.is_usable(artifact_dir) else Checkpoint()
        handlers = handlers or Handlers()
        wants_whole_events = bool(handlers.event_handler or handlers.observer)
        self.artifact_dir = artifact_dir
        self._decoder = Decoder(start.position, whole_events=wants_whole_events)
        self._results = JobResults(artifact_dir, config, handlers, start)

    @property
    def ended(self) -> bool:
        """Whether the stream's own end has come."""
        return self._decoder.ended

    @property
    def offset(self) -> int:
        """Bytes of the stream that are worked off."""
        return self._decoder.position.offset

    @property
    def received(self) -> int:
        """Bytes of the stream that have come, whole messages or not."""
        return self._decoder.position.offset + self._decoder.pending

    @property
    def counter(self) -> int:
        """The last event's counter."""
        return self._results.events.counter

    @property
    def keepalives(self) -> int:
        """How many keepalives have come."""
        return self._results.keepalives

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the artifacts so far, although they were written."""
        return tuple(self._results.warnings)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream.

        Raises:
            StreamError: they make no stream.
            OutputFailed: the artifacts cannot be written.
        """
        self._take(self._decoder.feed(data))
        self._decoder.expect_events()  # the first bytes say that the job starts: nothing else is to be done then

    def _take(self, messages: Iterable[Message]) -> None:
        try:
            for message in messages:
                self._results.take(message)
        finally:
            # Also after an error: what came before it counts. From here on a checkpoint may pass all that was taken.
            self._results.events.settle()

    def checkpoint(self) -> Checkpoint:
        """Write out everything and return the place from which another processor can go on."""
        return self._results.checkpoint(self._decoder.position)

    def finish(self) -> Outcome:
        """Say that the stream is over; return how the job ended.

        Raises:
            StreamError: the stream broke off, with how far it got, or messages of it were damaged.
        """
        self._take(self._decoder.finish())
        try:
            self._decoder.check_complete()
        except StreamError as error:
            self._results.files.drop_archive()
            raise StreamError(
                error.what,
                cause=f"{error.cause}; {self.progress()}",
                hint="look at the worker's node: it was cut off or never ran",
                offset=error.offset,
            ) from error
        if damaged := self._results.damage.count:
            raise StreamError(f"{damaged} messages of the stream are damaged", cause=self.progress())
        return self._results.outcome(self.offset)

    def progress(self) -> str:
        """Return how far the stream got, in words."""
        return self._results.progress()

    def cut_short(self, status: Status, explanation: str) -> Outcome:
        """Say, to handlers and in the artifacts, that the job ended without a final status.

        Args:
            status: how.
            explanation: why.
        """
        self._results.files.drop_archive()  # its rest will never come
        self._results.take_status({"status": status.value, "job_explanation": explanation})
        return self._results.outcome(self.offset)

    def explain(self, error: StreamError) -> str:
        """Return what is wrong with the stream, in the words that callers of ansible-runner look for."""
        return self._results.damage.explain(error, ended=self.ended)

    def close(self) -> None:
        """Close the files; what is written stays."""
        self._results.files.close()


def process(
    chunks: Iterator[bytes],
    processor: Processor,
    *,
    canceled: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Work off a whole stream.

    What follows the stream's own end is read and dropped, so that the writer is not cut off.

    Args:
        chunks: the stream, in pieces.
        processor: takes them; it is closed at the end.
        canceled: asked between pieces; once it is true, the outcome is "canceled".

    Raises:
        StreamError: the stream is damaged or incomplete.
        OutputFailed: the artifacts cannot be written.
    """
    try:
        for chunk in chunks:
            processor.feed(chunk)
        if canceled() and not processor.ended:
            return processor.cut_short(Status.CANCELED, "canceled while the stream was read")
        return processor.finish()
    except StreamError as error:
        processor.cut_short(Status.ERROR, processor.explain(error))
        raise
    finally:
        processor.close()
