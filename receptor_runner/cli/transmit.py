"""`receptor-runner transmit`."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from receptor_runner.cli import early_checks, messages, parameters
from receptor_runner.cli.commands import Command
from receptor_runner.cli.job_options import JobOptions
from receptor_runner.errors import UsageError, pasteable

if TYPE_CHECKING:
    from receptor_runner.cli.live.display import JobDisplay

EPILOG = """\b
Examples:
  receptor-runner transmit ./demo -p site.yml | receptor-runner worker |
      receptor-runner process ./demo
  receptor-runner transmit ./demo -m ping --hosts all > job.stream
"""


_SHOWN_AFTER_S = 0.5


class _Progress(ExitStack):
    """Shows how much is sent, if that takes longer than a moment; most streams do not wait for the import of it."""

    def __init__(self) -> None:
        super().__init__()
        self._due = time.monotonic() + _SHOWN_AFTER_S
        self._display: JobDisplay | None = None

    def sent(self, sent: int, size: int) -> None:
        """Take how many bytes of how many are sent."""
        if self._display is None and time.monotonic() >= self._due:
            from receptor_runner.cli.live.display import JobDisplay
            from receptor_runner.cli.output_options import OutputFormat

            self._display = self.enter_context(JobDisplay(OutputFormat.TEXT))
        if self._display:
            self._display.sent(sent, size)


@click.command(cls=Command, epilog=EPILOG)
@parameters.private_data_dir
@parameters.takes("job", JobOptions)
@click.option(
    "-j", "--json", "json_mode", is_flag=True, help="Write JSON events to the job's stdout artifact."
)
@click.option(
    "-q", "--quiet", is_flag=True, help="Accepted as in ansible-runner; the stream is quiet anyway."
)
@click.option("--only-kwargs", is_flag=True, help="Send the options alone; the worker shares the directory.")
@click.option("--compression-level", **parameters.compression_level("  [default: 3]"))
def transmit(
    private_data_dir: Path,
    job: JobOptions,
    json_mode: bool,
    quiet: bool,
    only_kwargs: bool,
    compression_level: int | None,
) -> None:
    """Pack the job and the private data directory DIR into a stream on stdout."""
    from receptor_runner.system.pipes import DescriptorOutput, write_all
    from receptor_runner.transmit import prepare

    if sys.stdout.isatty():
        raise UsageError(
            "refusing to write a stream to a terminal",
            hint=f"{pasteable('receptor-runner', 'transmit', private_data_dir)} ... | receptor-runner worker",
        )
    wanted = job.job(json_mode=json_mode, quiet=quiet)
    if not only_kwargs:  # else the worker's own directory counts
        early_checks.check_job(wanted, private_data_dir)
    packed = prepare(
        wanted,
        private_data_dir,
        only_kwargs=only_kwargs,
        include_artifacts=job.include_artifacts,
        level=compression_level,
    )
    with closing(packed) as shipment, _Progress() as progress:
        shipment.on_sent = progress.sent
        for warning in shipment.warnings():
            messages.note(f"warning: {warning}")
        write_all(DescriptorOutput(sys.stdout.fileno()), shipment.chunks())
