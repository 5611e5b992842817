"""Following a job to its end, with checkpoints, and releasing its unit once its artifacts are safe."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from receptor_runner.artifacts import writing
from receptor_runner.errors import (
    ContactLost,
    MissingInput,
    NeverStarted,
    NodeUnavailable,
    OutputFailed,
    RunnerError,
    StreamError,
)
from receptor_runner.handlers import Handlers, RunnerConfig, runner_config
from receptor_runner.outcome import Outcome, Status
from receptor_runner.plugins import with_plugins
from receptor_runner.process import Processor
from receptor_runner.receptor.jobs.follow_policy import FollowPolicy
from receptor_runner.receptor.jobs.follower import Follower
from receptor_runner.receptor.jobs.index import JobPlace
from receptor_runner.receptor.jobs.job_unit import JobUnit, reach
from receptor_runner.receptor.jobs.never_ran import interrupted_upload_ran_nothing
from receptor_runner.receptor.jobs.record import Record, RecordFile, Stage
from receptor_runner.receptor.jobs.unit import Unit
from receptor_runner.receptor.nodes.destination import Destination
from receptor_runner.receptor.nodes.locate import LocalNode
from receptor_runner.system.cancel import CancelToken
from receptor_runner.system.sync import sync_filesystem

CHECKPOINT_S = 1.0
CHECKPOINT_EVENTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """How a job is followed, and what becomes of its unit.

    Attributes:
        handlers: whom to tell what.
        policy: timeouts.
        cancel: stops the job; its remaining output is awaited.
        detach: ends the following; the job goes on.
        config: what handlers are told of the job; by default one for the usual place.
        keep: whether the unit stays on its node if the job did not end well.
        on_trouble: called with what keeps results from arriving, and with "" once they may arrive again.
        on_route: called with the record once it is known where the job runs.
    """

    handlers: Handlers = field(default_factory=Handlers)
    policy: FollowPolicy = field(default_factory=FollowPolicy)
    cancel: CancelToken = field(default_factory=CancelToken)
    detach: CancelToken = field(default_factory=CancelToken)
    config: RunnerConfig | None = None
    keep: bool = False
    on_trouble: Callable[[str], None] = lambda _trouble: None
    on_route: Callable[[Record, LocalNode], None] = lambda _record, _local: None


def follow(private_data_dir: Path, ident: str, destination: Destination, following: Following) -> Outcome:
    """Follow a submitted job until its end, from where the local artifacts stop.

    Once the artifacts are complete the unit is released.

    Args:
        private_data_dir: where the artifacts go.
        ident: the job.
        destination: deadlines and retries; where the job runs is in its record.
        following: how to follow.

    Returns:
        How the job ended; for a job that has ended already, how it did.

    Raises:
        MissingInput: no such job was submitted.
        StreamError: the job's results are broken or incomplete.
        NeverStarted: no node could start it; nothing of it ran.
        ContactLost: the job may still run; it can be attached to.
    """
    file = RecordFile(private_data_dir, ident)
    file.require()
    with file.locked():
        return _Pursuit(file, private_data_dir, destination, following).run()


class _Pursuit:
    """One process's following of one job."""

    def __init__(
        self, file: RecordFile, private_data_dir: Path, destination: Destination, following: Following
    ) -> None:
        self._file = file
        self._record = file.require()
        self._following = following
        self._config = following.config or runner_config(private_data_dir, file.ident)
        self._local = reach(self._record)
        self._destination = destination
        self._control = destination.control(self._local)
        self._saved_at = time.monotonic()
        self._saved_counter = self._record.checkpoint.counter

    def run(self) -> Outcome:
        if self._record.outcome and not self._record.is_active:
            return _as_before(self._record, self._record.outcome)
        if self._record.unit_id is None:
            self._file.remove()
            raise MissingInput(
                f"the job `{self._file.ident}` never got a unit",
                cause="nothing of it has run",
                hint="repeat the command that submitted it",
            )
        self._following.on_route(self._record, self._local)
        processor = Processor(
            self._file.artifact_dir,
            config=self._config,
            handlers=with_plugins(self._following.handlers, self._config),
            checkpoint=self._record.checkpoint,
        )
        try:
            outcome = self._followed(processor, JobUnit(self._file, self._destination))
        finally:
            processor.close()
        return self._end(outcome)

    def _followed(self, processor: Processor, unit: JobUnit) -> Outcome:
        follower = Follower(
            unit,
            processor,
            policy=self._policy(),
            retry=self._destination.retry,
            cancel=self._following.cancel,
            detach=self._following.detach,
            on_progress=lambda: self._progress(processor),
            on_trouble=self._following.on_trouble,
        )
        try:
            outcome = self._checked(follower, unit)
            if not processor.ended:
                processor.cut_short(outcome.status, outcome.explanation or "")
            self._note(processor)  # written with the outcome
            return dataclasses.replace(outcome, warnings=processor.warnings)
        except (StreamError, NeverStarted) as error:
            processor.cut_short(Status.ERROR, str(error))
            self._note(processor)
            failed = Outcome(status=Status.ERROR, explanation=str(error), warnings=processor.warnings)
            self._end(failed, error.exit_code)
            raise
        except OutputFailed as error:
            raise error.with_hint(self._file.way_back) from error
        except ContactLost as error:
            self._save(processor)
            raise error.with_hint(self._file.way_back) from error
        except NodeUnavailable as error:
            self._save(processor)
            what = f"lost contact with the job `{self._file.ident}`"
            raise ContactLost(what, cause=str(error), hint=self._file.way_back) from error

    def _policy(self) -> FollowPolicy:
        """Return the timeouts; an embedded node sends results as they are written, whenever they were asked for."""
        policy = self._following.policy
        return dataclasses.replace(policy, start_grace_s=0.0) if self._local.embedded else policy

    def _checked(self, follower: Follower, unit: JobUnit) -> Outcome:
        """Follow; an error that only shows that the upload was interrupted says so."""
        failure: RunnerError | None = None
        try:
            outcome = follower.follow()
            if outcome.status is not Status.ERROR:
                return outcome
        except StreamError as error:
            failure = error
        if self._record.stage is Stage.CREATED and interrupted_upload_ran_nothing(unit):
            raise NeverStarted(
                f"nothing of the job `{self._file.ident}` has run: its upload was interrupted",
                cause=str(failure or outcome.explanation),
                hint="repeat the command that submitted it",
            ) from failure
        if failure:
            raise failure
        return outcome

    def _progress(self, processor: Processor) -> None:
        """Save a checkpoint if the last one is a second or a thousand events old."""
        due = time.monotonic() - self._saved_at >= CHECKPOINT_S
        if due or processor.counter - self._saved_counter >= CHECKPOINT_EVENTS:
            self._save(processor)

    def _save(self, processor: Processor) -> None:
        before = self._record.checkpoint
        self._note(processor)
        if self._record.checkpoint != before:
            self._record = self._file.write(self._record, durable=False)

    def _note(self, processor: Processor) -> None:
        """Take over how far the processor is; what it took is in its files then."""
        self._record = dataclasses.replace(self._record, checkpoint=processor.checkpoint())
        self._saved_at = time.monotonic()
        self._saved_counter = processor.counter

    def _end(self, outcome: Outcome, error_code: int | None = None) -> Outcome:
        """Record the outcome, then release the unit."""
        # In this order: until the artifacts are on disk the unit is their only copy.
        with writing(self._file.artifact_dir):
            sync_filesystem(self._file.artifact_dir)
        ended = dataclasses.replace(self._record, stage=Stage.ENDED, outcome=outcome, error_code=error_code)
        self._record = self._file.write(ended)
        self._file.forget_cancel()
        keep = self._following.keep and outcome.status is not Status.SUCCESSFUL
        unit_id = self._record.unit_id
        if not keep and unit_id and Unit(self._control, unit_id).discard_and_wait():
            # Not worth waiting for the disk: whoever finds it unsaid releases the unit again.
            released = dataclasses.replace(self._record, released=True)
            self._record = self._file.write(released, durable=False)
        return outcome


def _as_before(record: Record, outcome: Outcome) -> Outcome:
    """Return the outcome of a job that has ended before, or raise the error with which it ended."""
    for kind in (StreamError, NeverStarted):
        if record.error_code == kind.exit_code:
            raise kind(outcome.explanation or "the job ended with an error")
    return outcome


def follow_all(
    places: Iterable[JobPlace],
    destination: Destination,
    following_of: Callable[[str], Following],
) -> dict[JobPlace, Outcome | RunnerError]:
    """Follow many jobs at once, each in a thread of its own.

    Args:
        places: where the jobs are.
        destination: deadlines and retries.
        following_of: how to follow the job of an ident.

    Returns:
        How each ended, or why that is not known.
    """
    ended: dict[JobPlace, Outcome | RunnerError] = {}

    def pursue(place: JobPlace) -> None:
        try:
            following = following_of(place.ident)
            ended[place] = follow(place.private_data_dir, place.ident, destination, following)
        except RunnerError as error:
            ended[place] = error
        except Exception as error:
            ended[place] = RunnerError("an unexpected error", cause=f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=pursue, args=(place,), name=f"job-{place.ident}") for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ended
