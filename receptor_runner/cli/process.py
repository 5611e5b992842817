"""`receptor-runner process`."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from types import FrameType

import click

from receptor_runner.cli import options, show
from receptor_runner.errors import ContactLost, Interrupted, UsageError, WorkerFailed
from receptor_runner.outcome import Outcome, Status

LAST_WORD_S = 12.0
"""How long an interrupted process waits for the worker's last word; a worker needs up to 10 s."""

EPILOG = """\b
Examples:
  receptor-runner transmit ./demo -p site.yml | receptor-runner worker | receptor-runner process ./demo -i 42
"""


@click.command(epilog=EPILOG)
@options.private_data_dir
@click.option("-i", "--ident", help="Write to DIR/artifacts/IDENT instead of DIR/artifacts.")
@click.option("-q", "--quiet", is_flag=True, help="Do not print the job's output.")
@show.version
@click.option("--logfile", help="Log to this file instead of stderr.")
@click.option("--debug", is_flag=True, help="Log everything.")
def process(private_data_dir: Path, ident: str | None, quiet: bool, logfile: str | None, debug: bool) -> int:
    """Turn a worker's stream on stdin into artifacts below DIR, and exit with the job's return code."""
    from receptor_runner.handlers import Handlers, runner_config
    from receptor_runner.plugins import tell_plugins
    from receptor_runner.process import Processor, process
    from receptor_runner.system.pipes import read_descriptor

    if logfile or debug:
        show.start_logging(debug=debug, logfile=logfile)
    if sys.stdin.isatty():
        raise UsageError(
            "process reads a worker's stream, not a terminal",
            hint=f"... | receptor-runner worker | receptor-runner process {private_data_dir}",
        )
    output = show.JobOutput(quiet=quiet)
    config = runner_config(private_data_dir, ident)
    handlers = tell_plugins(Handlers(display=output.show), config)
    processor = Processor(Path(config.artifact_dir), config=config, handlers=handlers)
    patience = Patience()
    chunks = read_descriptor(sys.stdin.fileno(), lambda: patience.exhausted)
    outcome = process(chunks, processor, canceled=lambda: patience.exhausted)
    patience.check()
    output.check()
    return verdict(outcome)


class Patience:
    """What Ctrl-C and SIGTERM do here: the first asks to end soon, for the worker has a last word to say."""

    def __init__(self) -> None:
        self.signal_number = 0
        self._deadline = float("inf")
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupted)

    @property
    def exhausted(self) -> bool:
        """Whether the wait is over."""
        return time.monotonic() > self._deadline

    def _interrupted(self, number: int, _frame: FrameType | None) -> None:
        again, self.signal_number = bool(self.signal_number), number
        if again or number == signal.SIGTERM:
            self._deadline = 0
            return
        self._deadline = time.monotonic() + LAST_WORD_S
        show.note_at_once("interrupted; waiting for the worker's last word (Ctrl-C again to quit)")

    def check(self) -> None:
        """Raise Interrupted if we were."""
        if self.signal_number:
            raise Interrupted("interrupted", signal_number=self.signal_number)


def verdict(outcome: Outcome) -> int:
    """Return the exit code of a job that ended, or raise what the worker reports instead.

    Raises:
        WorkerFailed: the worker had an error of its own.
        ContactLost: how it ended will not be known.
    """
    if outcome.status is Status.LOST:
        raise ContactLost("the job is lost", cause=outcome.explanation)
    if not outcome.is_verdict:
        raise WorkerFailed("the worker reports an error", cause=outcome.explanation)
    if outcome.explanation:
        show.note(f"{outcome.status}: {outcome.explanation}")
    return outcome.exit_code
