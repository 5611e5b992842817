"""One job over many nodes, from its plan to its end."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from receptor_runner.archive.pack import MemoryFile
from receptor_runner.errors import IdentExists, MissingInput, UsageError, pasteable
from receptor_runner.receptor.jobs.submit import is_disposable
from receptor_runner.receptor.nodes.destination import Destination
from receptor_runner.rotation import rotate_artifacts
from receptor_runner.slices.index import Index, SliceEntry
from receptor_runner.slices.packing import SharedShipment, limit_files
from receptor_runner.slices.running import Observer, Requests, SliceRun
from receptor_runner.slices.sliced_job import SlicedJob
from receptor_runner.slices.slicing import cut
from receptor_runner.transmit import Shipment

Pack = Callable[[Mapping[str, MemoryFile], Collection[str], int | None], Shipment]
"""Packs the sliced job: takes more files from memory, the idents of the jobs that run from the archive, and how hard
it is compressed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicedWork:
    """What runs in slices.

    Attributes:
        title: what it is, as `Job.title` says.
        directory: the directory in which Ansible runs, relative to the private data directory on the node.
        find_hosts: returns the hosts; it is called only if they are not in an index already.
        with_localhost: whether plays for the implicit localhost run too, in each slice.
        pack: packs it.
        keep_artifacts: how many jobs' artifacts are kept; 0 for all.
    """

    title: str
    directory: str
    find_hosts: Callable[[], Collection[str]]
    with_localhost: bool
    pack: Pack
    keep_artifacts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slicing:
    """How a job is cut, and what becomes of an earlier one of the same ident.

    Attributes:
        count: how many slices; None makes one for each lane.
        lanes: the nodes, each as often as it may run slices at once, None for the local node; empty for the nodes of
            the earlier run, else the local node.
        rerun: replace an ended job of that ident.
        rerun_slices: run these slices of an ended job again.
    """

    count: int | None = None
    lanes: tuple[str | None, ...] = ()
    rerun: bool = False
    rerun_slices: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be run of a sliced job.

    Attributes:
        index: the index.
        numbers: the slices that run.
        replaced: those of them whose earlier jobs are replaced.
        is_rerun: whether it replaces a whole job.
        dropped: slices of that job which this one does not have.
    """

    index: Index
    numbers: tuple[int, ...]
    replaced: frozenset[int] = frozenset()
    is_rerun: bool = False
    dropped: tuple[SliceEntry, ...] = ()


def run_in_slices(
    private_data_dir: Path,
    ident: str,
    work: SlicedWork,
    slicing: Slicing,
    destination: Destination,
    *,
    observer: Observer,
    requests: Requests,
    on_plan: Callable[[Plan, Shipment], None] = lambda _plan, _shipment: None,
) -> Index:
    """Run a job in slices, each as a unit of its own; return the index.

    One of the same ident that has not ended goes on: slices that are active are attached to, and those that were never
    submitted run.

    Args:
        private_data_dir: where the artifacts go.
        ident: the ident of the sliced job.
        work: what runs.
        slicing: how it is cut.
        destination: how nodes are reached.
        observer: is told how the slices get on.
        requests: cancels or detaches.
        on_plan: called before the first slice is submitted.

    Raises:
        IdentExists: the ident belongs to an ended job, or another process runs the sliced job.
        MissingInput: there are no hosts, or there is no such sliced job.
        UsageError: there is no such slice.
    """
    sliced = SlicedJob(private_data_dir, ident)
    with sliced.locked():
        plan = _plan(sliced, work, slicing)
        sliced.forget_cancel()  # one that comes from here on, while the archive is packed, counts
        lanes = slicing.lanes or tuple(dict.fromkeys(plan.index.entry(n).target for n in plan.numbers))
        index = _aimed(plan, lanes)
        files = limit_files(index.slices, work.directory, with_localhost=index.with_localhost)
        level = dataclasses.replace(destination, node=next(filter(None, lanes), None)).level()
        shipment = work.pack(files, [entry.ident for entry in index.slices], level)
        with contextlib.closing(SharedShipment(shipment)) as shipments:
            _forget_earlier(sliced, plan)
            # durable: the plan is what leads to the slices, whatever dies from here on
            sliced.write(index, durable=True)
            on_plan(dataclasses.replace(plan, index=index), shipment)
            running = SliceRun(
                sliced, index, shipments, destination, observer, requests, replaced=plan.replaced
            )
            index = running.run(plan.numbers, lanes)
        _rotate(sliced, work.keep_artifacts)
        return sliced.write_end(index) if index.end else index


def _aimed(plan: Plan, lanes: Sequence[str | None]) -> Index:
    """Return the index with the slices that are to run, each planned for a lane as far as there are lanes."""
    index = plan.index
    aims = [index.entry(number).target for number in plan.numbers]
    if not set(aims) <= set(lanes) or not any(aims):
        aims = [lanes[turn % len(lanes)] for turn in range(len(plan.numbers))]
    for number, aim in zip(plan.numbers, aims, strict=True):
        index = index.with_entry(index.entry(number).as_waiting(aim))
    return index


def _plan(sliced: SlicedJob, work: SlicedWork, slicing: Slicing) -> Plan:
    if slicing.rerun_slices:
        return _again(sliced, slicing.rerun_slices)
    if sliced.holds_another_job():
        raise _taken(sliced, "a job that did not run in slices").with_hint("use another ident")
    if not sliced.exists():
        return _fresh(sliced, work, slicing)
    index = sliced.read()
    unfinished = tuple(entry.number for entry in index.slices if is_unfinished(sliced, entry))
    if slicing.rerun:
        active = [number for number in unfinished if sliced.record_of(index.entry(number)).exists()]
        if active:
            numbers = ", ".join(map(str, active))
            raise _taken(sliced, "a job that is active", f"slices that may be running: {numbers}")
        return _fresh(sliced, work, slicing, index)
    if not unfinished:
        raise _taken(sliced, "a job that has ended").with_hint(
            f"replace it by the same command with --rerun or --rerun-slice, or look at it: {sliced.way_back}"
        )
    return Plan(index=index, numbers=unfinished)


def is_unfinished(sliced: SlicedJob, entry: SliceEntry) -> bool:
    """Return whether a slice was not submitted yet or may still run."""
    record = sliced.record_of(entry).read()
    return entry.exit_code is None if record is None else record.is_active


def _fresh(sliced: SlicedJob, work: SlicedWork, slicing: Slicing, earlier: Index | None = None) -> Plan:
    hosts = cut(work.find_hosts(), slicing.count or len(slicing.lanes) or 1)
    index = Index.planned(sliced.ident, work.title, hosts, with_localhost=work.with_localhost)
    numbers = tuple(entry.number for entry in index.slices)
    return Plan(
        index=index,
        numbers=numbers,
        replaced=frozenset(numbers if slicing.rerun else ()),
        is_rerun=slicing.rerun,
        dropped=earlier.slices[len(numbers) :] if earlier else (),
    )


def _forget_earlier(sliced: SlicedJob, plan: Plan) -> None:
    """Remove what is left of the job that is replaced; its other slices go when the new ones are submitted."""
    if plan.is_rerun:
        sliced.clear()
    for entry in plan.dropped:  # its artifacts would look like a part of the new job
        file = sliced.record_of(entry)
        file.remove()
        file.forget_cancel()
        file.clear()


def _again(sliced: SlicedJob, numbers: Sequence[int]) -> Plan:
    if not sliced.exists():
        raise MissingInput(
            f"no job `{sliced.ident}` in slices in {sliced.private_data_dir}",
            hint=pasteable("receptor-runner", "jobs", sliced.private_data_dir, "--slices"),
        )
    index = sliced.read()
    for number in numbers:
        if not 1 <= number <= len(index.slices):
            raise UsageError(
                f"no slice {number}", cause=f"the job `{sliced.ident}` has {len(index.slices)} slices"
            )
    chosen = tuple(sorted(set(numbers)))
    return Plan(index=index, numbers=chosen, replaced=frozenset(chosen))


def _taken(sliced: SlicedJob, by: str, cause: str | None = None) -> IdentExists:
    return IdentExists(
        f"the ident `{sliced.ident}` belongs to {by}",
        cause=cause,
        hint=f"replace it by the same command with --rerun, or look at it: {sliced.way_back}",
    )


def _rotate(sliced: SlicedJob, keep: int) -> None:
    rotate_artifacts(sliced.artifact_dir, keep, lambda ident: is_disposable(sliced.private_data_dir, ident))
