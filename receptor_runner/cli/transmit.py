"""`receptor-runner transmit`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from receptor_runner.cli import options, show
from receptor_runner.errors import UsageError

EPILOG = """\b
Examples:
  receptor-runner transmit ./demo -p site.yml | receptor-runner worker | receptor-runner process ./demo
  receptor-runner transmit ./demo -m ping --hosts all > job.stream
"""


@click.command(epilog=EPILOG)
@options.private_data_dir
@options.what_to_run
@options.how_to_run
@click.option("-j", "--json", "json_mode", is_flag=True, help="The job's stdout artifact holds JSON events.")
@click.option(
    "-q", "--quiet", is_flag=True, help="Accepted for ansible-runner's sake; the stream is quiet anyway."
)
@click.option("--only-kwargs", is_flag=True, help="Send the options alone; the worker shares the directory.")
@show.version
@click.option("--logfile", help="Log to this file instead of stderr.")
@click.option("--debug", is_flag=True, help="Log everything.")
def transmit(
    private_data_dir: Path,
    include_artifacts: bool,
    only_kwargs: bool,
    logfile: str | None,
    debug: bool,
    **job_options: Any,
) -> None:
    """Pack the job and the private data directory DIR into a stream on stdout."""
    from receptor_runner.system.pipes import DescriptorOutput, write_all
    from receptor_runner.transmit import prepare

    if logfile or debug:
        show.start_logging(debug=debug, logfile=logfile)
    if sys.stdout.isatty():
        raise UsageError(
            "a stream does not go to a terminal",
            hint=f"receptor-runner transmit {private_data_dir} ... | receptor-runner worker",
        )
    shipment = prepare(
        options.read_job(job_options),
        private_data_dir,
        only_kwargs=only_kwargs,
        include_artifacts=include_artifacts,
    )
    shipment.on_sent = show.UploadProgress().tell
    for skipped in shipment.skipped:
        show.note(f"warning: left out: {skipped}")
    write_all(DescriptorOutput(sys.stdout.fileno()), shipment.chunks())
