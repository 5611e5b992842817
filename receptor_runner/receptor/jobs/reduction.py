"""What of a payload need not travel, because the worker has kept it: remembered, or asked with a unit of its own."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

from receptor_runner.archive.references import candidates, digests_of, refer
from receptor_runner.archive.zip_reader import ZipEntry
from receptor_runner.errors import RunnerError, StreamError
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.control.retry import RetryPolicy
from receptor_runner.receptor.control.unit import WorkOrder
from receptor_runner.receptor.jobs.command_unit import run_unit
from receptor_runner.receptor.jobs.follow_policy import FollowPolicy
from receptor_runner.receptor.nodes.preflight import Route
from receptor_runner.store.policy import WORTH_ASKING
from receptor_runner.store.remembered import WorkerMemory, remembered
from receptor_runner.stream.decoder import Decoder
from receptor_runner.stream.encoder import EOF_LINE, encode_question
from receptor_runner.stream.messages import Unknown
from receptor_runner.transmit import Shipment

log = logging.getLogger("receptor_runner.submit")

_ANSWER_WITHIN_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """The ways to send a shipment without the files that its worker has kept.

    Attributes:
        shipment: the whole job.
        entries: the files in it that may be kept, by name.
        digests: their SHA-256, by name.
        memory: what is remembered of the worker.
        ask: returns which of some digests the worker lacks.
    """

    shipment: Shipment
    entries: Mapping[str, ZipEntry]
    digests: Mapping[str, bytes]
    memory: WorkerMemory
    ask: Callable[[Sequence[bytes]], set[bytes]]

    def attempts(self) -> Iterator[Shipment]:
        """Yield reduced shipments, the best first; each further one after the worker has refused the one before.

        The first relies on what is remembered: a question is a unit of its own, which takes longer than the start of a
        small job. It is asked where so much is not known to be there that it pays, and after a refusal.
        """
        if self._remembers_most():
            yield from self._reduced(self.memory.kept, "should have")
            self.memory.forget_kept()
        if (kept := self._asked()) is not None:
            yield from self._reduced(kept, "has")
            self.memory.forget_kept()

    def note_accepted(self) -> None:
        """Remember, once the worker has taken one of the shipments, that it has the other files now, too."""
        self.memory.note_kept(self.digests.values())

    def _remembers_most(self) -> bool:
        kept = self.memory.kept
        unknown = sum(
            self.entries[name].packed_size for name, digest in self.digests.items() if digest not in kept
        )
        return not kept.isdisjoint(self.digests.values()) and unknown < WORTH_ASKING

    def _asked(self) -> set[bytes] | None:
        """Return which files the worker has; None if it does not say."""
        wanted = sorted(set(self.digests.values()))
        try:
            return set(wanted) - self.ask(wanted)
        except RunnerError as error:
            log.debug("the worker has no store: %s", error)
            if isinstance(error, StreamError):  # its own word, not a lost connection
                self.memory.note_refusal()
            return None

    def _reduced(self, kept: Container[bytes], verb: str) -> Iterator[Shipment]:
        assert self.shipment.archive is not None
        wanted = set(self.digests.values())
        count = sum(digest in kept for digest in wanted)
        log.debug("the worker %s %d of %d files", verb, count, len(wanted))
        try:
            yield dataclasses.replace(self.shipment, archive=refer(self.shipment.archive, self.digests, kept))
        except OSError as error:
            log.debug("there is no room for a second archive: %s", error)


def plan_reduction(shipment: Shipment, control: Control, order: WorkOrder, route: Route) -> Reduction | None:
    """Return how a shipment can be reduced.

    Args:
        shipment: the whole job.
        control: the local node.
        order: the work order of the job; a question goes the same way.
        route: where that is.

    Returns:
        None where it does not pay, or the worker has no store.
    """
    memory = remembered(route.local, route.node, route.work_type, order.params or "")
    if shipment.archive is None or memory.refuses:
        return None
    entries = {entry.name: entry for entry in candidates(shipment.archive, shipment.may_be_kept)}
    if sum(entry.packed_size for entry in entries.values()) < WORTH_ASKING:
        return None
    return Reduction(
        shipment=shipment,
        entries=entries,
        digests=digests_of(shipment.archive, list(entries.values())),
        memory=memory,
        ask=lambda wanted: _ask(control, order, wanted),
    )


def _ask(control: Control, order: WorkOrder, wanted: Sequence[bytes]) -> set[bytes]:
    """Return which digests the worker lacks.

    Raises:
        RunnerError: there is no answer.
    """
    policy, retry = FollowPolicy(wait_timeout_s=_ANSWER_WITHIN_S), RetryPolicy(deadline_s=_ANSWER_WITHIN_S)
    output, _status = run_unit(control, order, policy, retry, [encode_question(wanted), EOF_LINE])
    return read_answer(output, wanted)


def read_answer(output: bytes, wanted: Sequence[bytes]) -> set[bytes]:
    """Return which digests a worker lacks, from its result stream.

    Args:
        output: the stream.
        wanted: the digests of the question.

    Raises:
        StreamError: it holds no answer; a worker without a store refuses the question as a damaged stream.
    """
    decoder = Decoder()
    answers = [message.value for message in decoder.feed(output) if isinstance(message, Unknown)]
    decoder.check_complete()
    for answer in answers:
        numbers = answer.get("lacking") if isinstance(answer, dict) else None
        if isinstance(numbers, list) and all(number in range(len(wanted)) for number in numbers):
            return {wanted[number] for number in numbers}
    raise StreamError("the worker's stream holds no answer", cause=output[:200].decode(errors="replace"))
