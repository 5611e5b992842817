"""What the messages of a result stream do: artifacts are written and handlers called."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from receptor_runner.artifacts import read_rc, read_status
from receptor_runner.handlers import Handlers, RunnerConfig
from receptor_runner.outcome import Outcome, Status
from receptor_runner.results.checkpoint import Checkpoint
from receptor_runner.results.damage import StreamDamage
from receptor_runner.results.events import JobEvents
from receptor_runner.results.files import ArtifactWriter
from receptor_runner.results.status import JobStatus, contradictions
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
from receptor_runner.stream.position import Position

log = logging.getLogger("receptor_runner.process")


class JobResults:
    """What has arrived of a job, message by message.

    Args:
        artifact_dir: where the artifacts go; it is made if it is missing.
        config: what handlers are told of the job.
        handlers: whom to tell what.
        start: where an earlier processor of the same stream stopped.

    Attributes:
        files: the artifacts.
        events: takes the events.
        damage: what was not a message.
        keepalives: how many keepalives have come.
        warnings: what is wrong with the artifacts, although they were written.

    Raises:
        OutputFailed: the artifacts cannot be written; so do all methods.
        ConfigError: the environment sets a limit on archives that is not a number.
    """

    def __init__(
        self, artifact_dir: Path, config: RunnerConfig, handlers: Handlers, start: Checkpoint
    ) -> None:
        self.files = ArtifactWriter(artifact_dir, start, keeps_stdout=not config.suppress_output_file)
        self.events = JobEvents(self.files, handlers, start.counter)
        self.damage = StreamDamage(start.damaged)
        self.keepalives = start.keepalives
        self.warnings: list[str] = []
        self._status = JobStatus(start.status, start.explanation)
        self._artifact_dir = artifact_dir
        self._config = config
        self._handlers = handlers

    def take(self, message: Message) -> None:
        """Do what the next message says."""
        if isinstance(message, Event):
            self.damage.passed()
            self.events.take(message)
            return
        self.events.settle()  # before anything else is done or told: the order stays that of the stream
        match message:
            case StatusLine(data):
                self.damage.passed()
                self.take_status(data)
            case ArchiveStart():
                self.files.begin_archive()
            case ArchiveData(data):
                self.files.write_archive(data)
            case ArchiveEnd():
                self._take_archive()
            case Noise():
                self.damage.take(message)
            case Keepalive():
                self.keepalives += 1
            case WorkerLine(text):
                log.warning("worker: %s", text)
            case _:
                pass

    def take_status(self, data: dict[str, Any]) -> None:
        """Take a status line."""
        self._status.take(data, self._config)
        if self._status.last == Status.STARTING and data.get("suppress_output_file") is True:
            self.files.give_up_stdout()
        self._handlers.status_handler(data, runner_config=self._config)

    def _take_archive(self) -> None:
        for skipped in self.files.extract_archive():
            self._warn(f"left out of the artifacts: {skipped}")
        self._handlers.artifacts_handler(str(self._artifact_dir))

    def checkpoint(self, position: Position) -> Checkpoint:
        """Write out everything and return what another processor needs to go on.

        Args:
            position: the place in the stream behind the last message that was taken.
        """
        self.events.settle()
        return Checkpoint(
            position=position,
            counter=self.events.counter,
            stdout_size=self.files.save(),
            has_artifacts=self.files.are_whole,
            status=self._status.last,
            explanation=self._status.explanation,
            damaged=self.damage.count,
            keepalives=self.keepalives,
        )

    def progress(self) -> str:
        """Return how far the stream got, in words."""
        return f"last status: {self._status.last or 'none'}, events: {self.events.counter}"

    def outcome(self, offset: int) -> Outcome:
        """Return how the job ended, and write the artifact `status` if the worker did not.

        Args:
            offset: bytes of the stream that are worked off, for the error.

        Raises:
            StreamError: the stream has no verdict.
        """
        status = self._status.verdict(self.progress(), offset)
        rc = read_rc(self._artifact_dir) if self.files.are_whole else None
        if self.files.are_whole:
            for contradiction in contradictions(status, rc, read_status(self._artifact_dir)):
                self._warn(contradiction)
        self.files.write_status(status.value)
        explanation = self._status.explanation
        return Outcome(status=status, rc=rc, explanation=explanation, warnings=tuple(self.warnings))

    def _warn(self, text: str) -> None:
        log.warning("%s", text)
        self.warnings.append(text)
