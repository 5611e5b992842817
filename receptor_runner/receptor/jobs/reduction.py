"""What of a payload need not travel, because the worker has kept it: one question, asked as a unit of its own."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Sequence

from receptor_runner.errors import RunnerError, StreamError
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.control.retry import RetryPolicy
from receptor_runner.receptor.control.unit import WorkOrder
from receptor_runner.receptor.jobs.command_unit import run_unit
from receptor_runner.receptor.jobs.follow_policy import FollowPolicy
from receptor_runner.receptor.nodes.mesh import PREFERRED_WORK_TYPES
from receptor_runner.receptor.nodes.preflight import Route
from receptor_runner.store.policy import WORTH_ASKING
from receptor_runner.store.refusals import users_refusals
from receptor_runner.stream.decoder import Decoder
from receptor_runner.stream.encoder import EOF_LINE, encode_question
from receptor_runner.stream.messages import Unknown
from receptor_runner.stream.references import candidates, digests_of, refer
from receptor_runner.transmit import Shipment

log = logging.getLogger("receptor_runner.submit")

_ANSWER_WITHIN_S = 15.0


def has_store(route: Route) -> bool:
    """Return whether the worker at the end of a route may have kept files, on a node to which sending takes long."""
    return not route.is_local and route.work_type == PREFERRED_WORK_TYPES[0]


def reduce_shipment(shipment: Shipment, control: Control, order: WorkOrder, route: Route) -> Shipment | None:
    """Return a shipment without the files that the worker has kept, and with marks for those that it may keep.

    Args:
        shipment: the whole job.
        control: the local node.
        order: the work order of the job; the question goes the same way.
        route: where that is.

    Returns:
        None where it does not pay, or the worker has no store.
    """
    worker = (route.local, route.node, route.work_type, order.params or "")
    if shipment.archive is None or users_refusals().includes(*worker):
        return None
    entries = list(candidates(shipment.archive, shipment.may_be_kept))
    if sum(entry.packed_size for entry in entries) < WORTH_ASKING:
        return None
    digests = digests_of(shipment.archive, entries)
    wanted = sorted(set(digests.values()))
    started_at = time.monotonic()
    try:
        lacking = _ask(control, order, wanted)
    except RunnerError as error:
        log.debug("the worker has no store: %s", error)
        if isinstance(error, StreamError):  # its own word, not a lost connection
            users_refusals().note(*worker)
        return None
    kept = set(wanted) - lacking
    log.debug("the worker has %d of %d files (%.2f s)", len(kept), len(wanted), time.monotonic() - started_at)
    try:
        return dataclasses.replace(shipment, archive=refer(shipment.archive, digests, kept))
    except OSError as error:
        log.debug("there is no room for a second archive: %s", error)
        return None


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
