"""Running slices side by side: one thread for each lane, one unit at a time in each."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from receptor_runner.errors import NodeUnavailable, OutputFailed, RunnerError
from receptor_runner.outcome import Outcome, Status
from receptor_runner.receptor.jobs.follow import Following, follow
from receptor_runner.receptor.jobs.record import Record
from receptor_runner.receptor.jobs.submit import start
from receptor_runner.receptor.nodes.destination import Destination
from receptor_runner.receptor.nodes.locate import LocalNode
from receptor_runner.slices.index import Index, SliceEntry
from receptor_runner.slices.packing import SharedShipment
from receptor_runner.slices.queue import SliceQueue
from receptor_runner.slices.sliced_job import SlicedJob
from receptor_runner.system.cancel import CancelToken

log = logging.getLogger("receptor_runner.slices")

_LEAVE_WITHIN_S = 10.0
"""After a detach a lane may be in the middle of an upload; a torn one runs nothing."""

_WATCH_S = 0.5

_CANCELED = Outcome(status=Status.CANCELED, explanation="canceled before it was submitted")


class Observer(Protocol):
    """Is told how the slices get on, by the threads of the lanes."""

    def following(self, entry: SliceEntry) -> Following:
        """Return how to follow a slice, once it has a unit."""

    def routed(self, entry: SliceEntry, record: Record, local: LocalNode, /) -> None:
        """Take where a slice runs."""

    def ended(self, entry: SliceEntry) -> None:
        """Take how a slice ended."""

    def moved(self, entry: SliceEntry, error: NodeUnavailable) -> None:
        """Take that a slice could not start on its node and goes to another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """What may be asked for while slices run.

    Attributes:
        cancel: cancels what runs; what waits is not submitted any more.
        detach: ends the following; what runs goes on.
    """

    cancel: CancelToken = dataclasses.field(default_factory=CancelToken)
    detach: CancelToken = dataclasses.field(default_factory=CancelToken)


class SliceRun:
    """Runs slices of a sliced job and keeps its index.

    Args:
        sliced: the sliced job; its lock is held.
        index: its index.
        shipments: what is sent.
        destination: where to; its node is set by the lane.
        observer: who is told.
        requests: what is asked for meanwhile.
        replaced: the slices whose earlier jobs are replaced.
    """

    def __init__(
        self,
        sliced: SlicedJob,
        index: Index,
        shipments: SharedShipment,
        destination: Destination,
        observer: Observer,
        requests: Requests,
        *,
        replaced: frozenset[int] = frozenset(),
    ) -> None:
        self._job = sliced
        self._index = index
        self._shipments = shipments
        self._destination = destination
        self._observer = observer
        self._requests = requests
        self._replaced = replaced
        self._lock = threading.Lock()
        self._is_unwritten = False
        self._failure: BaseException | None = None

    def run(self, numbers: Sequence[int], lanes: Sequence[str | None]) -> Index:
        """Run slices; return the index as it stands then.

        A lane that cannot start a slice gives it back and is out; the slice goes to another lane.

        Args:
            numbers: the slices.
            lanes: the node of each lane; a node that occurs twice runs two slices at once.

        Raises:
            OutputFailed: the index cannot be written.
        """
        firsts, others = assign([self._index.entry(number) for number in numbers], lanes)
        queue = SliceQueue(others, len(firsts), len(lanes))
        threads = [
            # a daemon: after a second Ctrl-C the process may leave while an upload hangs
            threading.Thread(
                target=self._run_lane, args=(node, queue, firsts.get(lane)), name=f"lane-{lane}", daemon=True
            )
            for lane, node in enumerate(lanes)
        ]
        for thread in threads:
            thread.start()
        self._wait(threads, queue)
        if self._failure:
            raise self._failure
        if self._is_unwritten:
            self._index = self._job.write(self._index)
        return self._index

    def _wait(self, threads: Sequence[threading.Thread], queue: SliceQueue) -> None:
        left_at: float | None = None
        for thread in threads:
            while thread.is_alive():
                # short joins: Python runs signal handlers between them, and the requests are looked at
                thread.join(_WATCH_S)
                if self._is_canceled():
                    self._requests.cancel.request()
                    for number in queue.drain():
                        self._end(number, _CANCELED)
                if self._requests.detach.requested:
                    queue.drain()
                    left_at = left_at or time.monotonic()
                    if time.monotonic() - left_at > _LEAVE_WITHIN_S:
                        return

    def _run_lane(self, node: str | None, queue: SliceQueue, first: int | None) -> None:
        try:
            self._work(node, queue, first)
        except BaseException as failure:  # `run` raises it
            self._failure = self._failure or failure
            queue.close()  # the other lanes would wait for the slice of this one for ever

    def _work(self, node: str | None, queue: SliceQueue, first: int | None) -> None:
        number = queue.take() if first is None else first
        while number is not None:
            try:
                self._end(number, self._run_slice(number, node))
            except NodeUnavailable as error:
                if self._give_back(number, node, queue, error):
                    return
                self._end(number, error)
                # after a cancel or a detach, what waits is settled by `_wait`
                for other in () if self._is_stopping() else queue.drain():
                    self._end(other, error)
            queue.settle()
            number = queue.take()

    def _is_stopping(self) -> bool:
        return self._requests.cancel.requested or self._requests.detach.requested

    def _give_back(self, number: int, node: str | None, queue: SliceQueue, error: NodeUnavailable) -> bool:
        entry = dataclasses.replace(self._index.entry(number), target=node, node=None)
        # told before another lane can take it, which would be told first otherwise
        return not self._is_stopping() and queue.give_back(number, lambda: self._observer.moved(entry, error))

    def _run_slice(self, number: int, node: str | None) -> Outcome | RunnerError:
        """Submit and follow one slice; return how it ended, or why that is not known.

        Raises:
            NodeUnavailable: nothing of it ran.
        """
        entry = self._index.entry(number)
        # looked at for each slice: the lane may be free because somebody has just canceled the slice before
        if self._is_canceled():
            return _CANCELED
        try:
            destination = dataclasses.replace(self._destination, node=node)
            self._submit(entry, destination)
            following = self._observer.following(self._index.entry(number))
            return follow(self._job.private_data_dir, entry.ident, destination, following)
        except NodeUnavailable:
            raise
        except RunnerError as error:
            return error
        except Exception as error:
            log.debug("slice %d", number, exc_info=True)
            return RunnerError("an unexpected error", cause=f"{type(error).__name__}: {error}")

    def _is_canceled(self) -> bool:
        """Return whether all is to be canceled, by this process or by `cancel` elsewhere."""
        return self._requests.cancel.requested or self._job.is_canceled

    def _submit(self, entry: SliceEntry, destination: Destination) -> None:
        # Each slice opens the local node for itself: an embedded node belongs to one job and ends with it.
        with destination.local_node() as local:
            record = start(
                self._shipments.of(entry),
                self._job.private_data_dir,
                destination,
                local,
                rerun=entry.number in self._replaced,
                on_route=lambda record, local: self._observer.routed(entry, record, local),
            )
        self._update(dataclasses.replace(entry.as_submitted(record), target=destination.node))

    def _end(self, number: int, end: Outcome | RunnerError) -> None:
        entry = self._index.entry(number).with_end(end)
        self._update(entry)
        self._observer.ended(entry)

    def _update(self, entry: SliceEntry) -> None:
        """Take over how a slice stands; what cannot be written now is written with the next one, or at the end."""
        with self._lock:
            self._index = self._index.with_entry(entry)
            try:
                self._index = self._job.write(self._index)
                self._is_unwritten = False
            except OutputFailed as error:
                self._is_unwritten = True
                log.warning("slice %d: %s", entry.number, error)


def assign(entries: Sequence[SliceEntry], lanes: Sequence[str | None]) -> tuple[dict[int, int], list[int]]:
    """Return the first slice of each lane that has one, by lane, and the slices that wait.

    A slice that is planned for a lane's target starts there, if it is free.

    Args:
        entries: the slices, in order.
        lanes: the node of each lane.
    """
    free = list(range(len(lanes)))
    firsts: dict[int, int] = {}
    others: list[int] = []
    for is_planned in (True, False):
        for entry in entries:
            if entry.number in firsts.values() or (is_planned and entry.target is None):
                continue
            fitting = [lane for lane in free if lanes[lane] == entry.target] if is_planned else free
            if fitting:
                firsts[fitting[0]] = entry.number
                free.remove(fitting[0])
            elif not is_planned:
                others.append(entry.number)
    return firsts, others
