"""`receptor-runner worker`: what a Receptor node runs as a work-command."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from receptor_runner.cli import output, parameters
from receptor_runner.cli.commands import Group
from receptor_runner.cli.worker_cleanup import cleanup
from receptor_runner.cli.worker_job import DEFAULT_STORE_MIB, WorkerOptions, run_worker
from receptor_runner.errors import UsageError
from receptor_runner.system.signals import STOPPING

EPILOG = """\b
Examples:
  receptor-runner transmit ./demo -p site.yml | receptor-runner worker |
      receptor-runner process ./demo
  receptor-runner worker --worker-info
  receptor-runner worker cleanup --help
\b
As a work-command in receptor.yml:
  - work-command:
      worktype: receptor-runner
      command: /path/to/receptor-runner
      params: worker
"""


@click.group(cls=Group, invoke_without_command=True, subcommand_metavar="[cleanup ...]", epilog=EPILOG)
@click.option(
    "--private-data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the job's files go, and stay. Default: a temporary directory.",
)
@click.option(
    "--delete", is_flag=True, help="Empty --private-data-dir before the job and remove it afterwards."
)
@click.option(
    "--keepalive-seconds",
    type=parameters.Duration(),
    help="Send a keepalive after this much silence. Default: $ANSIBLE_RUNNER_KEEPALIVE_SECONDS, else never.",
)
@click.option(
    "--worker-info", is_flag=True, help="Print this machine's versions and capacity as YAML, and exit."
)
@click.option(
    "--no-store",
    is_flag=True,
    help="Keep no files of projects for later jobs, and take no job that relies on such files.",
)
@click.option(
    "--store-size",
    type=click.IntRange(min=1),
    default=DEFAULT_STORE_MIB,
    show_default=True,
    metavar="MIB",
    help="How much of the projects to keep below the user's state directory: what is unchanged does not travel again.",
)
@click.option(
    "--container-image",
    metavar="IMAGE",
    help="Run jobs that choose no isolation themselves in a container of this image.",
)
@click.option(
    "--process-isolation-executable",
    metavar="ENGINE",
    help="The engine for --container-image: podman or docker, or a path to one. Default: podman.",
)
@click.pass_context
def worker(
    context: click.Context,
    private_data_dir: Path | None,
    delete: bool,
    keepalive_seconds: float | None,
    worker_info: bool,
    no_store: bool,
    store_size: int,
    container_image: str | None,
    process_isolation_executable: str | None,
) -> int:
    """Run the job of the stream on stdin and send its results to stdout."""
    if process_isolation_executable and not container_image:
        hint = f"{context.command_path} --container-image IMAGE"
        raise UsageError("--process-isolation-executable needs --container-image", hint=hint)
    if not (context.invoked_subcommand or worker_info):
        return run_worker(
            WorkerOptions(
                private_data_dir=private_data_dir,
                delete=delete,
                keepalive_s=keepalive_seconds,
                store_mib=0 if no_store else store_size,
                container_image=container_image,
                container_engine=process_isolation_executable,
            )
        )
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    if worker_info and not context.invoked_subcommand:
        return _print_info(container_image, process_isolation_executable)
    return 0


worker.add_command(cleanup)


def _print_info(container_image: str | None, container_engine: str | None) -> int:
    from receptor_runner.execution.worker_info import worker_info_text

    output.line(worker_info_text(container_image, container_engine))
    return 0
