"""What is done with a sliced job that was submitted: following, canceling and releasing all of its slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from receptor_runner.errors import RunnerError
from receptor_runner.outcome import Outcome
from receptor_runner.receptor.jobs import cancel as jobs
from receptor_runner.receptor.jobs.cancel import Cancel
from receptor_runner.receptor.jobs.follow import follow_all
from receptor_runner.receptor.jobs.record import Record
from receptor_runner.receptor.nodes.destination import Destination
from receptor_runner.slices.index import Index, SliceEntry
from receptor_runner.slices.running import Observer
from receptor_runner.slices.sliced_job import SlicedJob

_AT_ONCE = 16

Done = TypeVar("Done")


def follow_sliced_job(sliced: SlicedJob, destination: Destination, observer: Observer) -> Index:
    """Follow all submitted slices to their end, from where the local artifacts stop; return the index.

    Those that were never submitted still wait then.

    Args:
        sliced: the sliced job.
        destination: deadlines and retries.
        observer: is told how the slices get on.

    Raises:
        MissingInput: there is no such sliced job.
        IdentExists: another process runs or follows it.
    """
    with sliced.locked():
        index = sliced.read()
        submitted = {
            sliced.record_of(entry).place: entry for entry in index.slices if sliced.record_of(entry).exists()
        }
        by_ident = {entry.ident: entry for entry in submitted.values()}
        ended = follow_all(submitted, destination, lambda ident: observer.following(by_ident[ident]))
        ends = {submitted[place].number: end for place, end in ended.items()}
        for entry in submitted.values():
            ended_entry = _ended(entry, sliced.record_of(entry).read(), ends[entry.number])
            index = index.with_entry(ended_entry)
            observer.ended(ended_entry)
        return sliced.write_end(index) if index.end else sliced.write(index)


def _ended(entry: SliceEntry, record: Record | None, end: Outcome | RunnerError) -> SliceEntry:
    if record is None:  # its client died before the unit was created: the slice was never submitted
        return entry.as_waiting(entry.target)
    return entry.as_submitted(record).with_end(end)


def cancel_sliced_job(
    sliced: SlicedJob, destination: Destination
) -> Iterator[tuple[SliceEntry, Cancel | RunnerError]]:
    """Cancel a sliced job; yield for each submitted slice what that did, or why it could not be done.

    Whoever runs the sliced job submits no further slice.
    """
    # Before the slices: the first one that ends makes room for the next, which must find the note.
    sliced.note_cancel()

    def cancel(entry: SliceEntry) -> Cancel:
        return jobs.cancel(sliced.private_data_dir, entry.ident, destination)

    yield from _each(sliced, cancel)
    if sliced.read().end:
        sliced.forget_cancel()


def release_sliced_job(
    sliced: SlicedJob, destination: Destination, *, force: bool
) -> Iterator[tuple[SliceEntry, Record | RunnerError]]:
    """Remove the units of a sliced job; yield the new record of each submitted slice, or why it could not be done."""

    def release(entry: SliceEntry) -> Record:
        return jobs.release(sliced.private_data_dir, entry.ident, destination, force=force)

    yield from _each(sliced, release)


def _each(
    sliced: SlicedJob, act: Callable[[SliceEntry], Done]
) -> Iterator[tuple[SliceEntry, Done | RunnerError]]:
    def attempt(entry: SliceEntry) -> Done | RunnerError:
        try:
            return act(entry)
        except RunnerError as error:
            return error

    submitted = [entry for entry in sliced.read().slices if sliced.record_of(entry).exists()]
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        yield from zip(submitted, pool.map(attempt, submitted), strict=True)
