"""Cleans up a worker's machine: private data directories that were left behind, and container images."""

from __future__ import annotations

from collections.abc import Callable

from receptor_runner.cleanup.directories import DirectoryCleanup
from receptor_runner.cleanup.image_cleanup import ImageCleanup
from receptor_runner.cleanup.options import Cleanup
from receptor_runner.cleanup.report import Fate, Found, Report
from receptor_runner.store.blobs import find_store


def clean_up(wanted: Cleanup, report_line: Callable[[str], None] = lambda _line: None) -> Report:
    """Clean up this machine; one failure does not stop the rest.

    Args:
        wanted: what to clean up.
        report_line: called with a line for each step, in the words of ansible-runner's `worker cleanup`.

    Raises:
        UsageError: the pattern matches a protected directory; nothing was removed.
    """
    report = Report(dry_run=wanted.dry_run)
    if wanted.file_pattern:
        DirectoryCleanup(wanted, report, report_line).clean(wanted.file_pattern)
    if wanted.remove_images or wanted.image_prune:
        ImageCleanup(wanted, report, report_line).clean()
    if wanted.store:
        _empty_store(report, report_line)
    return report


def _empty_store(report: Report, report_line: Callable[[str], None]) -> None:
    store = find_store()
    if store is None or not store.is_private:
        return
    try:
        report.store_bytes = store.clear(dry_run=report.dry_run)
    except OSError as error:
        cause = error.strerror or str(error)
        report.directories.append(Found(name=str(store.directory), fate=Fate.FAILED, reason=cause))
        return
    done = "Would remove" if report.dry_run else "Removed"
    report_line(f"{done} {report.store_bytes} bytes of kept files from {store.directory}")
