"""`receptor-runner run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from receptor_runner.cli import mesh, options

EPILOG = """\b
Examples:
  receptor-runner run ./demo -p site.yml
  receptor-runner run ./demo -p site.yml --socket /run/receptor/receptor.sock --node exec1 -i 42
  receptor-runner run ./demo -m ping --hosts all --json
"""


@click.command(epilog=EPILOG)
@options.private_data_dir
@options.what_to_run
@options.how_to_run
@mesh.where_to_run
@mesh.how_to_follow
@click.option("--json-mode", is_flag=True, help="The job's stdout artifact holds JSON events.")
@click.option("--rerun", is_flag=True, help="Replace an ended job of the same ident.")
@mesh.as_json
def run(private_data_dir: Path, include_artifacts: bool, rerun: bool, json_output: bool, **given: Any) -> int:
    """Pack the job in DIR, run it through Receptor, and bring its artifacts home.

    The output is shown as it comes; the exit code is the job's own. An ident that is active already is attached to.
    """
    where = mesh.destination(given)
    following = mesh.JobFollowing(given, where, json_output=json_output)
    record = mesh.start_job(private_data_dir, where, given, include_artifacts=include_artifacts, rerun=rerun)
    following.catch_signals()
    return following.follow(private_data_dir, record.ident)
