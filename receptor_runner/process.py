"""Phase 3: the stream from a worker becomes the artifacts directory, and handlers hear of it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from receptor_runner.artifact_writer import ArtifactWriter
from receptor_runner.artifacts import read_rc, read_status
from receptor_runner.checkpoint import Checkpoint
from receptor_runner.errors import ArchiveError, InputFailed, StreamError
from receptor_runner.handlers import Handlers, RunnerConfig
from receptor_runner.outcome import Outcome, Status
from receptor_runner.stream.decoder import EXCERPT_SIZE, Decoder
from receptor_runner.stream.messages import (
    ArchiveData,
    ArchiveEnd,
    ArchiveStart,
    Event,
    Keepalive,
    Message,
    Noise,
    StatusLine,
    WorkerLine,
)

log = logging.getLogger("receptor_runner.process")

BAD_LINE = "Failed to JSON parse a line from worker stream."
NO_LINE = (
    "Unexpected empty line encountered during worker stream. "
    "Worker did not produce events or streaming was aborted, check execution node health."
)

_SAFE_UUID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,127}").fullmatch

_HIGHEST_COUNTER = 1 << 63
_TAIL_SIZE = 200


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
        self.artifact_dir = artifact_dir
        self.config = config
        self._handlers = handlers or Handlers()
        wants_whole_events = bool(self._handlers.event_handler or self._handlers.observer)
        self._decoder = Decoder(start.position, whole_events=wants_whole_events)
        self._counter = start.counter
        self._status = start.status
        self._explanation = start.explanation
        self._last_noise: Noise | None = None
        self._warnings: list[str] = []
        self._shown: list[str] = []
        self.damaged = start.damaged
        self.keepalives = start.keepalives
        self._files = ArtifactWriter(artifact_dir, start, keeps_stdout=not config.suppress_output_file)

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
    def status(self) -> str | None:
        """The last status that arrived."""
        return self._status

    @property
    def counter(self) -> int:
        """The last event's counter."""
        return self._counter

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream.

        Raises:
            StreamError: they make no stream.
            OutputFailed: the artifacts cannot be written.
        """
        try:
            for message in self._decoder.feed(data):
                self._take(message)
        finally:
            self._flush_output()

    def checkpoint(self) -> Checkpoint:
        """Write out everything and return the place from which another processor can go on."""
        size = self._files.save()
        return Checkpoint(
            position=self._decoder.position,
            counter=self._counter,
            stdout_size=size,
            status=self._status,
            explanation=self._explanation,
            damaged=self.damaged,
            keepalives=self.keepalives,
        )

    def finish(self) -> Outcome:
        """Say that the stream is over; return how the job ended.

        Raises:
            StreamError: the stream broke off, with how far it got, or messages of it were damaged.
        """
        for message in self._decoder.finish():
            self._take(message)
        self._flush_output()
        try:
            self._decoder.check_complete()
        except StreamError as error:
            self._files.drop_archive()
            raise StreamError(
                error.what,
                cause=f"{error.cause}; {self.progress()}",
                hint="look at the worker's node: it was cut off or never ran",
                offset=error.offset,
            ) from error
        if self.damaged:
            raise StreamError(f"{self.damaged} messages of the stream are damaged", cause=self.progress())
        return self._outcome()

    def last_output(self) -> str:
        """Return the end of the job's output so far, to show it in an explanation."""
        with contextlib.suppress(OSError), (self.artifact_dir / "stdout").open("rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - _TAIL_SIZE, 0))
            return file.read().decode(errors="replace").strip()
        return ""

    def progress(self) -> str:
        """Return how far the stream got, in words."""
        return f"last status: {self._status or 'none'}, events: {self._counter}"

    def cut_short(self, status: Status, explanation: str) -> Outcome:
        """Say, to handlers and in the artifacts, that the job ended without a final status.

        Args:
            status: how.
            explanation: why.
        """
        self._files.drop_archive()  # its rest will never come
        self._take_status({"status": status.value, "job_explanation": explanation})
        return self._outcome()

    def explain(self, error: StreamError) -> str:
        """Return what is wrong with the stream.

        A stream that is damaged or stops halfway is explained by ansible-runner's own sentence first, which callers
        look for. It blames the worker's node, so nothing else may use it.
        """
        detail = str(error)
        if isinstance(error, InputFailed):
            return detail
        if self._last_noise is not None:
            return f"{BAD_LINE} Error: {detail} Line with invalid JSON data: {self._last_noise.excerpt!r}"
        if isinstance(error, ArchiveError) or self.ended:
            return detail
        return f"{NO_LINE} {detail}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the artifacts so far, although they were written."""
        return tuple(self._warnings)

    def close(self) -> None:
        """Close the files; what is written stays."""
        self._files.close()

    def _outcome(self) -> Outcome:
        if self._status is None:
            raise StreamError("the stream has no status", cause=self.progress(), offset=self.offset)
        try:
            status = Status(self._status)
        except ValueError as error:
            raise StreamError(f"the stream ends with an unknown status `{self._status}`") from error
        if status in {Status.STARTING, Status.RUNNING}:
            raise StreamError("the stream ends without a verdict", cause=self.progress(), offset=self.offset)
        rc = read_rc(self.artifact_dir)
        if not self._files.keeps_stdout:  # the worker's archive has come, and brought these files
            for contradiction in _contradictions(status, rc, read_status(self.artifact_dir)):
                self._warn(contradiction)
        self._files.write_status(status.value)
        return Outcome(status=status, rc=rc, explanation=self._explanation, warnings=self.warnings)

    def _warn(self, text: str) -> None:
        log.warning("%s", text)
        self._warnings.append(text)

    def _take(self, message: Message) -> None:
        if self._last_noise and not self._last_noise.damaged and isinstance(message, Event | StatusLine):
            self._last_noise = None  # it did no harm
        match message:
            case Event():
                self._take_event(message)
            case StatusLine(data):
                self._take_status(data)
            case ArchiveStart():
                self._files.begin_archive()
            case ArchiveData(data):
                self._files.write_archive(data)
            case ArchiveEnd():
                self._take_archive()
            case Noise():
                self._last_noise = message
                self.damaged += message.damaged
                log.warning("in the stream: %s", message)
            case Keepalive():
                self.keepalives += 1
            case WorkerLine(text):
                log.warning("worker: %s", text)
            case _:
                pass

    def _take_status(self, data: dict[str, Any]) -> None:
        self._status = str(data["status"])
        explanation = data.get("job_explanation")
        self._explanation = str(explanation) if explanation else self._explanation
        if self._status == Status.STARTING:
            command, cwd, env = (data.get(key) for key in ("command", "cwd", "env"))
            self.config.command = command if isinstance(command, list) else []
            self.config.cwd = cwd if isinstance(cwd, str) else None
            self.config.env = env if isinstance(env, dict) else {}
            if data.get("suppress_output_file") is True:
                self._files.give_up_stdout()
        self._flush_output()
        self._handlers.status_handler(data, runner_config=self.config)

    def _take_event(self, event: Event) -> None:
        counter, name = event.data["counter"], str(event.data["uuid"])
        if not (0 < counter <= _HIGHEST_COUNTER and _SAFE_UUID(name)):
            log.warning("the stream holds an event that cannot be kept: %r", event.raw[:EXCERPT_SIZE])
            return
        self._counter = counter
        if self._handlers.observer:
            self._handlers.observer(event)
        text = event.data.get("stdout")
        if isinstance(text, str) and text:
            self._show(text)
        content = event.raw
        if self._handlers.event_handler:
            self._flush_output()
            if not self._handlers.event_handler(event.data):
                return
            content = json.dumps(event.data).encode()
        self._files.write_event(f"{counter}-{name}.json", content)

    def _show(self, text: str) -> None:
        self._shown.append(text)
        self._files.write_stdout(text)

    def _flush_output(self) -> None:
        """Display the output that has come since the last time, and let readers of `stdout` see it.

        At once for all events of a piece: a write for each of them would cost as much as parsing them. Before anything
        else is told, so that the order stays that of the stream.
        """
        if self._shown:
            text, self._shown = "\n".join([*self._shown, ""]), []
            self._handlers.display(text)
        self._files.flush_stdout()

    def _take_archive(self) -> None:
        for skipped in self._files.extract_archive():
            self._warn(f"left out of the artifacts: {skipped}")
        self._handlers.artifacts_handler(str(self.artifact_dir))


def _contradictions(status: Status, rc: int | None, recorded: str | None) -> Iterator[str]:
    """Yield in what the end of a stream and the files `rc` and `status` of its archive contradict each other."""
    if recorded is not None and recorded != status.value:
        yield f"the stream ends with status {status}, but the artifact `status` says {recorded[:40]!r}"
    if (status is Status.SUCCESSFUL and rc) or (status is Status.FAILED and rc == 0):
        yield f"the stream ends with status {status}, but the artifact `rc` says {rc}"


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
