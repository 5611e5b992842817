"""`receptor-runner attach`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from receptor_runner.cli import messages, parameters
from receptor_runner.cli.commands import Command
from receptor_runner.cli.follow_options import FollowOptions
from receptor_runner.cli.following import JobFollowing
from receptor_runner.cli.live.display import JobDisplay
from receptor_runner.cli.node_options import ConnectionOptions, destination
from receptor_runner.cli.output_options import OutputOptions
from receptor_runner.errors import RunnerError, UsageError
from receptor_runner.outcome import Status

if TYPE_CHECKING:
    from receptor_runner.outcome import Outcome

EPILOG = """\b
Examples:
  receptor-runner attach ./demo -i 42
  receptor-runner attach ./demo --all
"""


@click.command(cls=Command, epilog=EPILOG)
@parameters.private_data_dir
@click.option("-i", "--ident", help="The job: its name under DIR/artifacts.")
@click.option("--all", "everything", is_flag=True, help="Follow all active jobs of DIR at once.")
@click.option(
    "--cancel-on-interrupt", is_flag=True, help="Ctrl-C cancels the job, as in `run`, instead of detaching."
)
@parameters.takes("connection", ConnectionOptions)
@parameters.takes("follow", FollowOptions)
@parameters.takes("output", OutputOptions)
def attach(
    private_data_dir: Path,
    ident: str | None,
    everything: bool,
    cancel_on_interrupt: bool,
    connection: ConnectionOptions,
    follow: FollowOptions,
    output: OutputOptions,
) -> int:
    """Follow a submitted job until its end, from where the local artifacts stop.

    Ctrl-C detaches: the job goes on. With --all every line of output begins with its job's ident, and the exit code is
    the largest of all jobs'.
    """
    if (ident is None) is not everything:
        raise UsageError(
            "attach needs either --ident or --all", hint=f"receptor-runner jobs {private_data_dir}"
        )
    with JobDisplay(output.format(), one_job=not everything) as display:
        following = JobFollowing(
            follow, destination(connection), display, cancel_on_interrupt=cancel_on_interrupt
        )
        following.catch_signals()
        if ident is not None:
            return following.follow(private_data_dir, ident)
        return _attach_all(private_data_dir, following, display)


def _attach_all(private_data_dir: Path, following: JobFollowing, display: JobDisplay) -> int:
    from receptor_runner.receptor.jobs.follow import follow_all
    from receptor_runner.receptor.jobs.record import RecordFile, read_all

    idents = [record.ident for record in read_all(private_data_dir) if record.is_active and record.unit_id]
    ended = follow_all(private_data_dir, idents, following.destination, following.of_many)
    display.end_many([RecordFile(private_data_dir, ident).require() for ident in idents])
    code = max((_report(ident, end) for ident, end in sorted(ended.items())), default=0)
    following.check("see above for each job")
    return code


def _report(ident: str, end: Outcome | RunnerError) -> int:
    if isinstance(end, RunnerError):
        messages.note(f"{ident}: " + "\n".join(end.lines()), logging.ERROR)
        return end.exit_code
    level = logging.INFO if end.status is Status.SUCCESSFUL else logging.ERROR
    messages.note(f"{ident}: {end.status}" + (f": {end.explanation}" if end.explanation else ""), level)
    return end.exit_code
