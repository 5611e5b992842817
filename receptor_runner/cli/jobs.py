"""`receptor-runner jobs`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from receptor_runner.cli import mesh, options, show

EPILOG = """\b
Examples:
  receptor-runner jobs ./demo
  receptor-runner jobs ./demo --json
"""

_COLUMNS = ("ident", "status", "rc", "events", "node", "unit", "created")


@click.command(epilog=EPILOG)
@options.private_data_dir
@mesh.as_json
def jobs(private_data_dir: Path, json_output: bool) -> None:
    """List the jobs that were submitted from DIR, as they were last seen."""
    from receptor_runner.receptor.record import read_all

    described = [mesh.describe(record) for record in read_all(private_data_dir)]
    if json_output:
        show.data({"schema": 1, "jobs": described})
    elif described:
        rows = [[str("-" if job[key] is None else job[key]) for key in _COLUMNS] for job in described]
        _print_table([list(_COLUMNS), *rows])


def _print_table(rows: Iterable[Sequence[str]]) -> None:
    table = list(rows)
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
