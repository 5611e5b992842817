"""`receptor-runner attach`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from receptor_runner.cli import completions, job_choice, messages, parameters, slices_acts
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
    from receptor_runner.receptor.jobs.record import RecordedJob

EPILOG = """\b
Examples:
  receptor-runner attach ./demo -i 42
  receptor-runner attach -i 42
  receptor-runner attach ./demo --all
"""


@click.command(cls=Command, epilog=EPILOG)
@job_choice.private_data_dir
@click.option("-i", "--ident", shell_complete=completions.idents, help=job_choice.IDENT_HELP)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Follow all active jobs at once: those of DIR, else all of yours.",
)
@click.option(
    "--cancel-on-interrupt", is_flag=True, help="Ctrl-C cancels the job, as in `run`, instead of detaching."
)
@parameters.takes("connection", ConnectionOptions)
@parameters.takes("follow", FollowOptions)
@parameters.takes("output", OutputOptions)
def attach(
    private_data_dir: Path | None,
    ident: str | None,
    everything: bool,
    cancel_on_interrupt: bool,
    connection: ConnectionOptions,
    follow: FollowOptions,
    output: OutputOptions,
) -> int:
    """Follow a submitted job until its end, from where the local artifacts stop.

    Without DIR the job is looked up among yours. Ctrl-C detaches: the job goes on. With --all every line of output
    begins with its job's ident, and the exit code is the largest of all jobs'. All slices of
    a sliced job are followed.
    """
    if (ident is None) is not everything:
        where = f" {private_data_dir}" if private_data_dir else ""
        raise UsageError("attach needs either --ident or --all", hint=f"receptor-runner jobs{where}")
    output_format = output.format()
    place = None if ident is None else job_choice.find(private_data_dir, ident)
    if place and (sliced := job_choice.find_sliced_job(place)):
        return slices_acts.attach(
            sliced,
            destination(connection),
            follow,
            output_format,
            cancel_on_interrupt=cancel_on_interrupt,
        )
    with JobDisplay(output_format, one_job=not everything) as display:
        following = JobFollowing(
            follow, destination(connection), display, cancel_on_interrupt=cancel_on_interrupt
        )
        following.interrupts.catch()
        if place is not None:
            return following.follow(place.private_data_dir, place.ident)
        return _attach_all(job_choice.recorded(private_data_dir), following, display)


def _attach_all(jobs: list[RecordedJob], following: JobFollowing, display: JobDisplay) -> int:
    from receptor_runner.receptor.jobs.follow import follow_all
    from receptor_runner.receptor.jobs.record import RecordFile

    places = [job.place for job in jobs if job.record.may_run]
    ended = follow_all(places, following.destination, following.of_many)
    display.end_many([RecordFile(place.private_data_dir, place.ident).require() for place in places])
    code = max((_report(place.ident, end) for place, end in sorted(ended.items())), default=0)
    following.check("see above for each job")
    return code


def _report(ident: str, end: Outcome | RunnerError) -> int:
    if isinstance(end, RunnerError):
        messages.note(f"{ident}: " + "\n".join(end.lines()), logging.ERROR)
        return end.exit_code
    level = logging.INFO if end.status is Status.SUCCESSFUL else logging.ERROR
    messages.note(f"{ident}: {end.status}" + (f": {end.explanation}" if end.explanation else ""), level)
    return end.exit_code
