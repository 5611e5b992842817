"""`receptor-runner metrics`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from receptor_runner.cli import completions, job_choice, output
from receptor_runner.cli.commands import Command
from receptor_runner.errors import ConfigError, OutputFailed, pasteable

if TYPE_CHECKING:
    from receptor_runner.receptor.jobs.record import RecordedJob
    from receptor_runner.receptor_config.certificate_ends import CertificateEnd

EPILOG = """\b
Examples:
  receptor-runner metrics
  receptor-runner metrics ./demo --config /etc/receptor/receptor.yml
  receptor-runner metrics -o /var/lib/node_exporter/receptor-runner.prom
"""

_READABLE = 0o644
"""The collector that reads the file runs as another user."""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("directories", type=click.Path(path_type=Path), nargs=-1, metavar="[DIR]...")
@click.option(
    "--config",
    "configs",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    shell_complete=completions.files,
    help="Watch the certificates in this receptor.yml; may be repeated.",
)
@click.option(
    "--certificate",
    "certificates",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    shell_complete=completions.files,
    help="Watch this certificate (PEM); may be repeated.",
)
@click.option(
    "-o",
    "--output-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    shell_complete=completions.files,
    help="Replace this file atomically instead of printing to stdout.",
)
def metrics(
    directories: tuple[Path, ...],
    configs: tuple[Path, ...],
    certificates: tuple[Path, ...],
    output_file: Path | None,
) -> None:
    """Print metrics about jobs and certificates in the OpenMetrics format, for Prometheus.

    They cover the jobs that were submitted from each DIR, or all of yours: those that `receptor-runner jobs` lists.
    Only files are read; no node is asked.
    """
    from receptor_runner.metrics.exposition import expose
    from receptor_runner.metrics.snapshot import take_snapshot

    ends = [*_ends_of_configs(configs), *_ends_of_files(certificates)]
    text = expose(take_snapshot(_recorded(directories), ends, datetime.now(UTC)))
    if output_file is None:
        output.write(text)
    else:
        _write(output_file, text)


def _recorded(directories: tuple[Path, ...]) -> list[RecordedJob]:
    if not directories:
        return job_choice.recorded(None)
    distinct = dict.fromkeys(Path(os.path.abspath(directory)) for directory in directories)
    return [job for directory in distinct for job in job_choice.recorded(directory)]


def _ends_of_configs(configs: tuple[Path, ...]) -> Iterator[CertificateEnd]:
    from receptor_runner.receptor_config.certificate_ends import certificate_ends
    from receptor_runner.receptor_config.parse import parse

    for path in configs:
        try:
            yield from certificate_ends(parse(path.read_text(), file=str(path)))
        except (OSError, ValueError) as error:
            hint = pasteable("receptor-runner", "config", "check", path)
            raise ConfigError(
                f"the certificates of {path} cannot be read", cause=str(error), hint=hint
            ) from error


def _ends_of_files(paths: tuple[Path, ...]) -> Iterator[CertificateEnd]:
    from receptor_runner.receptor_config.certificate_ends import certificate_end

    for path in paths:
        try:
            yield certificate_end(path)
        except (OSError, ValueError) as error:
            raise ConfigError(f"the certificate {path} cannot be read", cause=str(error)) from error


def _write(path: Path, text: str) -> None:
    from receptor_runner.artifacts import write_atomically

    try:
        write_atomically(path, text.encode(), mode=_READABLE)
    except OSError as error:
        raise OutputFailed(
            f"cannot write {path}", cause=error.strerror, hint=pasteable("ls", "-ld", path.parent)
        ) from error
