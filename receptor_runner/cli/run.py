"""`receptor-runner run`."""

from __future__ import annotations

from pathlib import Path

import click

from receptor_runner.cli import early_checks, parameters
from receptor_runner.cli.commands import Command
from receptor_runner.cli.follow_options import FollowOptions
from receptor_runner.cli.following import JobFollowing
from receptor_runner.cli.job_options import JobOptions, json_mode, rerun
from receptor_runner.cli.live.display import JobDisplay
from receptor_runner.cli.node_options import (
    ConnectionOptions,
    NodesOptions,
    SocketOptions,
    TlsOptions,
    destination,
    open_local_node,
)
from receptor_runner.cli.output_options import OutputOptions
from receptor_runner.cli.sliced_run import SlicedRun
from receptor_runner.cli.submitting import interruptible, submit_job

EPILOG = """\b
Examples:
  receptor-runner run ./demo -p site.yml
  receptor-runner run ./demo -p site.yml --node exec1 --node exec2 -i 42
  receptor-runner run ./demo -m ping --hosts all --json
"""


@click.command(cls=Command, epilog=EPILOG)
@parameters.private_data_dir
@parameters.takes("job", JobOptions)
@parameters.takes("local", SocketOptions)
@parameters.takes("nodes", NodesOptions)
@parameters.takes("tls", TlsOptions)
@parameters.takes("connection", ConnectionOptions)
@parameters.takes("follow", FollowOptions)
@parameters.takes("output", OutputOptions)
@json_mode
@rerun
def run(
    private_data_dir: Path,
    job: JobOptions,
    local: SocketOptions,
    nodes: NodesOptions,
    tls: TlsOptions,
    connection: ConnectionOptions,
    follow: FollowOptions,
    output: OutputOptions,
    json_mode: bool,
    rerun: bool,
) -> int:
    """Pack the job in DIR, run it through Receptor, and bring its artifacts home.

    The output is shown as it comes, on a terminal with a status line below it; the exit code is the job's own. If a job
    of the same ident is active already, it is attached to. On several nodes, or with --slices, the hosts are cut into
    slices, each a job of its own; the exit code is that of the worst slice.
    """
    wanted = job.job(json_mode=json_mode)
    early_checks.check_job(wanted, private_data_dir)
    target = nodes.target()
    ident = str(wanted.ident)
    if nodes.in_slices:
        sliced = SlicedRun(
            directory=private_data_dir,
            ident=ident,
            nodes=nodes,
            destination=destination(connection, local, tls, target),
            follow=follow,
            rerun=rerun,
        )
        with interruptible(private_data_dir, ident):
            return sliced.run_job(wanted, output.format(), include_artifacts=job.include_artifacts)
    with JobDisplay(output.format()) as display, interruptible(private_data_dir, ident):
        with open_local_node(local, tls, target) as node:
            # An embedded node starts while this and what follows imports its modules.
            where = destination(connection, local, tls, target)
            following = JobFollowing(follow, where, display)
            record = submit_job(
                private_data_dir,
                wanted,
                where,
                node,
                display,
                include_artifacts=job.include_artifacts,
                rerun=rerun,
            )
        following.interrupts.catch()
        return following.follow(private_data_dir, record.ident)
