"""`receptor-runner worker cleanup`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from receptor_runner.cli import messages, output, parameters
from receptor_runner.cli.cleanup_options import CleanupOptions, WordsCommand

if TYPE_CHECKING:
    from receptor_runner.cleanup.report import Fate, Report

EPILOG = """\b
Examples:
  receptor-runner worker cleanup --file-pattern '/tmp/awx_*_*' --dry-run
  receptor-runner worker cleanup --file-pattern '/tmp/awx_*_*' \\
      --exclude-strings awx_42_ awx_43_
  receptor-runner worker cleanup --remove-images ee:old --image-prune
"""


@click.command(cls=WordsCommand, short_help="Remove what jobs left behind on this machine.", epilog=EPILOG)
@parameters.takes("options", CleanupOptions)
@parameters.as_json
def cleanup(options: CleanupOptions, json_output: bool) -> int:
    """Remove private data directories and container images that were left on this machine.

    WORDS are one or more words behind one option, words separated by commas or blanks, or a repeated option.

    A directory is removed if a worker created it, or if it is at least two levels deep and the last part of GLOB
    contains a letter or digit. It is kept while a job or another process uses it. Links, files and mounted filesystems
    are kept. If GLOB matches a system or home directory, the current directory, or a parent of one of these, nothing is
    removed at all. With a directory go the containers that its job left.

    The last line is `(changed: True)` or `(changed: False)`. One failure does not stop the rest; the exit code is then
    74 if a directory could not be removed, 66 if the container engine is missing, 76 if it failed.
    """
    from receptor_runner.cleanup.cleanup import clean_up
    from receptor_runner.cleanup.options import Cleanup

    wanted = Cleanup(**dataclasses.asdict(options))
    if json_output:
        report = clean_up(wanted)
        output.data(_describe(report))
        failure = report.failure()
        return failure.exit_code if failure else 0
    return _conclude(clean_up(wanted, output.line))


def _conclude(report: Report) -> int:
    """Show what was kept, then whether anything changed: on the last line even if stderr goes to the same place."""
    from receptor_runner.cleanup.report import Fate

    for found in report.of(Fate.SKIPPED):
        messages.note(f"warning: kept {found.name}: {found.reason}")
    failure = report.failure()
    exit_code = messages.error(failure) if failure else 0
    output.line(f"(changed: {report.changed})")
    return exit_code


def _describe(report: Report) -> dict[str, Any]:
    """Return a report as programs read it."""
    from receptor_runner.cleanup.report import Fate

    def listed(fate: Fate) -> list[dict[str, str]]:
        return [{"path": found.name, "reason": found.reason} for found in report.of(fate)]

    failure = report.failure()
    return {
        "schema": 1,
        "changed": report.changed,
        "dry_run": report.dry_run,
        "removed": [found.name for found in report.directories if found.fate is Fate.REMOVED],
        "registry_auth": [found.name for found in report.registry_auth if found.fate is Fate.REMOVED],
        "containers": report.containers,
        "running": listed(Fate.RUNNING),
        "skipped": listed(Fate.SKIPPED),
        "failed": listed(Fate.FAILED),
        "images": report.images,
        "pruned": report.pruned,
        "store_bytes": report.store_bytes,
        "error": str(failure) if failure else None,
    }
