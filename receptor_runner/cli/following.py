"""Following a job from the command line: its output, Ctrl-C, and the exit code."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from receptor_runner.cli import verdict
from receptor_runner.cli.interrupts import Interrupts
from receptor_runner.errors import ContactLost, Interrupted, pasteable
from receptor_runner.outcome import Outcome, Status

if TYPE_CHECKING:
    from receptor_runner.cli.follow_options import FollowOptions
    from receptor_runner.cli.live.display import JobDisplay
    from receptor_runner.receptor.jobs.follow import Following
    from receptor_runner.receptor.nodes.destination import Destination

_CHECK_FIRST = "it may have run, or still be running: check there before you repeat the command with --rerun"
_RERUN = "the command that submitted it, with --rerun, runs it again"


class JobFollowing:
    """Follows jobs until they end, with one Ctrl-C for all of them.

    Args:
        options: deadlines, and what becomes of the unit.
        where: how to reach the node.
        display: shows the jobs.
        cancel_on_interrupt: whether the first Ctrl-C cancels.
    """

    def __init__(
        self,
        options: FollowOptions,
        where: Destination,
        display: JobDisplay,
        *,
        cancel_on_interrupt: bool = True,
    ) -> None:
        self.destination = display.watching(where)
        self.interrupts = Interrupts(
            "canceling the job; waiting for its remaining output", cancel_on_interrupt=cancel_on_interrupt
        )
        self._display = display
        self._options = options

    def of_many(self, ident: str) -> Following:
        """Return how to follow one job among many: each line of its output begins with its ident."""
        return dataclasses.replace(self._following(), handlers=self._display.handlers_of_many(ident))

    def _following(self) -> Following:
        """Return how to follow a job; what that imports is imported while the job starts, not before it is sent."""
        from receptor_runner.receptor.jobs.follow import Following

        return Following(
            policy=self._options.policy(),
            keep=self._options.keep,
            cancel=self.interrupts.cancel,
            detach=self.interrupts.detach,
        )

    def follow(self, private_data_dir: Path, ident: str) -> int:
        """Follow the job to its end; return the exit code."""
        from receptor_runner.receptor.jobs.follow import follow
        from receptor_runner.receptor.jobs.record import RecordFile, Stage

        file = RecordFile(private_data_dir, ident)
        self._display.follows(file.require(), file.artifact_dir)
        following = dataclasses.replace(
            self._following(), handlers=self._display.handlers(), on_trouble=self._display.trouble
        )
        try:
            outcome = follow(private_data_dir, ident, self.destination, following)
        except ContactLost as error:
            if number := self.interrupts.signal_number:
                is_canceled = self.interrupts.cancel.requested
                hint = error.hint if is_canceled else f"stop it: {_cancel(private_data_dir, ident)}"
                raise Interrupted(error.what, signal_number=number, cause=error.cause, hint=hint) from error
            raise
        record = file.require()
        self._display.end(record, outcome, file.artifact_dir)
        return self._exit_code(outcome, _RERUN if record.stage is Stage.RELEASED else _CHECK_FIRST)

    def _exit_code(self, outcome: Outcome, hint: str) -> int:
        self.check(f"the job is {outcome.status}")
        if outcome.status is Status.LOST:
            raise ContactLost("the job is lost", cause=outcome.explanation, hint=hint)
        return verdict.exit_code(outcome)

    def check(self, state: str) -> None:
        """Raise Interrupted if a signal came.

        Args:
            state: what became of the job.
        """
        if number := self.interrupts.signal_number:
            raise Interrupted(f"interrupted; {state}", signal_number=number)


def _cancel(private_data_dir: Path, ident: str) -> str:
    return pasteable("receptor-runner", "cancel", private_data_dir, "-i", ident)
