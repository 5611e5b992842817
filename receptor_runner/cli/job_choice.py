"""How a command is told which job is meant: DIR and ident, the ident alone, or the beginning of an ident."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from receptor_runner.cli import completions
from receptor_runner.errors import MissingInput, UsageError

if TYPE_CHECKING:
    from receptor_runner.receptor.jobs.index import JobPlace
    from receptor_runner.receptor.jobs.record import RecordedJob
    from receptor_runner.slices.sliced_job import SlicedJob

SHORTEST_PREFIX = 4

IDENT_HELP = "The job: its ident, or the beginning of it."

private_data_dir = click.argument(
    "private_data_dir", type=click.Path(file_okay=True, path_type=Path), metavar="[DIR]", required=False
)

ident = click.option("-i", "--ident", required=True, shell_complete=completions.idents, help=IDENT_HELP)


def recorded(directory: Path | None) -> list[RecordedJob]:
    """Return the jobs of a private data directory, else all of the user's.

    Raises:
        MissingInput: the directory does not exist.
    """
    from receptor_runner.receptor.jobs.record import read_all, read_indexed

    return read_indexed() if directory is None else read_all(directory)


def find(directory: Path | None, name: str) -> JobPlace:
    """Return where a job, or a sliced job, is.

    Args:
        directory: its private data directory; None looks among all jobs of the user.
        name: its ident, or the beginning of it, four characters at least.

    Raises:
        MissingInput: there is no such job.
        UsageError: several are meant, or the name cannot be an ident.
    """
    from receptor_runner.receptor.jobs.record import RecordFile
    from receptor_runner.slices.sliced_job import SlicedJob

    if directory is not None and (
        RecordFile(directory, name).exists() or SlicedJob(directory, name).exists()
    ):
        return RecordFile(directory, name).place
    places = list(dict.fromkeys(_sliced_job_or_job(job.place, name) for job in recorded(directory)))
    found = [place for place in places if place.ident == name]
    if not found and len(name) >= SHORTEST_PREFIX:
        found = [place for place in places if place.ident.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise _ambiguous(name, found)
    where = "" if directory is None else f" in {directory}"
    raise MissingInput(f"no job `{name}`{where}", hint=_listing(directory))


def find_sliced_job(place: JobPlace) -> SlicedJob | None:
    """Return the sliced job that a place leads to, or None if the place is that of one job."""
    from receptor_runner.slices.sliced_job import SlicedJob

    sliced = SlicedJob(place.private_data_dir, place.ident)
    return sliced if sliced.exists() else None


def _sliced_job_or_job(place: JobPlace, name: str) -> JobPlace:
    """Return the place that a name leads to: that of the sliced job for a slice, unless the slice itself is named."""
    from receptor_runner.slices.sliced_job import find_sliced_job as sliced_job_of

    sliced = sliced_job_of(place)
    is_slice_named = sliced is not None and len(name) > len(sliced.ident)
    return sliced.place if sliced and not is_slice_named else place


def _listing(directory: Path | None) -> str:
    return "receptor-runner jobs" if directory is None else f"receptor-runner jobs {directory}"


def _ambiguous(name: str, found: list[JobPlace]) -> UsageError:
    idents = sorted({place.ident for place in found})
    if len(idents) > 1:
        return UsageError(f"several jobs begin with `{name}`", cause=", ".join(idents))
    directories = ", ".join(str(place.private_data_dir) for place in found)
    return UsageError(f"several jobs are called `{name}`", cause=directories, hint="name DIR as well")
