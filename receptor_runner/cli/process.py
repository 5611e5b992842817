"""`receptor-runner process`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType

import click

from receptor_runner.artifacts import RECORD_NAME
from receptor_runner.cli import messages, parameters, verdict
from receptor_runner.cli.commands import Command
from receptor_runner.cli.job_output import JobOutput
from receptor_runner.errors import IdentExists, Interrupted, UsageError, pasteable
from receptor_runner.system.cancel import CancelToken

REMAINING_OUTPUT_S = 12.0
"""How long an interrupted `process` waits for the worker's remaining output; a worker needs up to 10 s to stop."""

EPILOG = """\b
Examples:
  receptor-runner transmit ./demo -p site.yml | receptor-runner worker |
      receptor-runner process ./demo -i 42
"""


@click.command(cls=Command, epilog=EPILOG)
@parameters.private_data_dir
@click.option("-i", "--ident", help="Write to DIR/artifacts/IDENT instead of DIR/artifacts.")
@click.option("-q", "--quiet", is_flag=True, help="Do not print the job's output.")
def process(private_data_dir: Path, ident: str | None, quiet: bool) -> int:
    """Turn a worker's stream on stdin into artifacts below DIR, and exit with the job's return code."""
    from receptor_runner.handlers import Handlers, ignore, runner_config
    from receptor_runner.plugins import with_plugins
    from receptor_runner.process import Processor, process
    from receptor_runner.system.pipes import read_descriptor

    if sys.stdin.isatty():
        raise UsageError(
            "refusing to read a worker's stream from a terminal",
            hint=f"... | receptor-runner worker | {pasteable('receptor-runner', 'process', private_data_dir)}",
        )
    display = JobOutput()
    config = runner_config(private_data_dir, ident)
    if ident:
        _check_free(private_data_dir, ident)
    handlers = with_plugins(Handlers(display=ignore if quiet else display.show), config)
    processor = Processor(Path(config.artifact_dir), config=config, handlers=handlers)
    interrupts = _Interrupts()
    cancel = interrupts.cancel
    chunks = read_descriptor(sys.stdin.fileno(), lambda: cancel.requested, cancel.fileno())
    outcome = process(chunks, processor, canceled=lambda: cancel.requested)
    interrupts.check()
    display.check()
    return verdict.exit_code(outcome)


def _check_free(private_data_dir: Path, ident: str) -> None:
    """Refuse the artifacts of a job that is active on a node: two jobs would be mixed up there."""
    if not (private_data_dir / "artifacts" / ident / RECORD_NAME).exists():
        return
    from receptor_runner.receptor.jobs.record import RecordFile

    file = RecordFile(private_data_dir, ident)
    record = file.read()
    if record and record.is_active:
        raise IdentExists(
            f"the ident `{ident}` belongs to an active job",
            hint=f"name another with --ident, or follow that job: {file.way_back}",
        )


class _Interrupts:
    """Ctrl-C and SIGTERM: the first Ctrl-C lets the worker finish its output, anything further ends the wait.

    Attributes:
        cancel: requested when the wait is over.
    """

    def __init__(self) -> None:
        self.cancel = CancelToken()
        self.signal_number = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupted)

    def _interrupted(self, number: int, _frame: FrameType | None) -> None:
        again, self.signal_number = bool(self.signal_number), number
        if again or number == signal.SIGTERM:
            self.cancel.request()
            return
        # A timer of the system: starting a thread in a signal handler can deadlock on the locks of the thread module.
        signal.signal(signal.SIGALRM, lambda *_: self.cancel.request())
        signal.setitimer(signal.ITIMER_REAL, REMAINING_OUTPUT_S)
        messages.note_at_once(
            "interrupted; waiting for the worker's remaining output (press Ctrl-C again to quit)"
        )

    def check(self) -> None:
        """Raise Interrupted if we were."""
        if self.signal_number:
            raise Interrupted("interrupted", signal_number=self.signal_number)
