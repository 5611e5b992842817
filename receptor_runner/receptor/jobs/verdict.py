"""What to say of a unit's end: the stream's own verdict, and the node's and the worker's words where it has none."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Protocol, Self

from receptor_runner.artifacts import last_output
from receptor_runner.errors import NodeUnavailable, StreamError
from receptor_runner.outcome import Outcome
from receptor_runner.receptor.control.unit import UnitStatus

if TYPE_CHECKING:
    from receptor_runner.process import Processor

_TAIL_SIZE = 1000
_TAIL_WITHIN_S = 2.0
_FINAL_STATE_WITHIN_S = 3.0
_POLL_S = 0.1


class ResultsReader(Protocol):
    """An open connection that delivers the results of a unit."""

    def read(self, wait_s: float, /) -> bytes | None:
        """Return the next bytes, b"" at the end, None if nothing arrived in time."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_exception: object) -> None: ...


class ReadableUnit(Protocol):
    """A unit that can be asked how it ended."""

    unit_id: str

    def status(self) -> UnitStatus:
        """Return its status."""

    def results(self, offset: int, /) -> ResultsReader:
        """Open its results from a byte offset on."""


def explained(unit: ReadableUnit, processor: Processor, outcome: Outcome) -> Outcome:
    """Return an outcome that the stream does not tell, with the unit, the progress and the last output named."""
    explanation = f"unit {unit.unit_id}: {outcome.explanation}; {processor.progress()}"
    if last := last_output(processor.artifact_dir):
        explanation += f"; the last output: {last}"
    return dataclasses.replace(outcome, explanation=explanation)


def final_state(unit: ReadableUnit) -> str:
    """Return how the node says that a unit ended whose stream is complete.

    Source: the daemon notices the end of a worker up to a second after the end of its output.
    """
    deadline = time.monotonic() + _FINAL_STATE_WITHIN_S
    try:
        while not (status := unit.status()).state.is_final and time.monotonic() < deadline:
            time.sleep(_POLL_S)
    except NodeUnavailable as error:
        return str(error)
    return f"{status.state}: {status.detail}" if status.detail != status.state else status.detail


def incomplete(unit: ReadableUnit, processor: Processor, status: UnitStatus) -> Outcome:
    """Return the outcome of a stream of which all bytes are here.

    Raises:
        StreamError: it is not whole; the cause holds the unit's detail and the end of what it printed.
    """
    try:
        return processor.finish()
    except StreamError as error:
        raise StreamError(
            error.what,
            cause=f"{error.cause}; unit {unit.unit_id} {status.state}: {status.detail}"
            + _last_output(unit, processor, status),
            hint="look at the work-command of the node, and at its log",
            offset=error.offset,
        ) from error


def _last_output(unit: ReadableUnit, processor: Processor, status: UnitStatus) -> str:
    """Return the end of what the unit printed: lines that are not messages of the stream, else the job's own output."""
    begin = max(status.stdout_size - _TAIL_SIZE, 0)
    tail = read_results(unit, begin, _TAIL_SIZE)
    if foreign := foreign_output(tail, is_torn=begin > 0):
        return f"; the last output: {foreign}"
    last = last_output(processor.artifact_dir)
    return f"; the last output: {last}" if last else ""


def read_results(unit: ReadableUnit, offset: int, size: int) -> bytes:
    """Return up to `size` bytes of a unit's results, or more; what cannot be read is left out."""
    pieces = bytearray()
    try:
        with unit.results(offset) as results:
            while len(pieces) < size and (piece := results.read(_TAIL_WITHIN_S)):
                pieces += piece
    except NodeUnavailable:
        return b""
    return bytes(pieces)


def foreign_output(tail: bytes, *, is_torn: bool) -> str:
    """Return what a unit printed that is not a message of a stream.

    Args:
        tail: the end of its output.
        is_torn: whether it begins in the middle of a line, which is then left out.
    """
    lines = tail.decode(errors="backslashreplace").split("\n")[is_torn:]
    return "\n".join(line for line in lines if not line.startswith("{")).strip()


def hint_of(status: UnitStatus) -> str:
    """Return where to look for the reason why a unit never started.

    Source: what the target node answers to a late start is only in the local node's log.
    """
    if not status.remote_node:
        return "look at the log of the node"
    return f"look at the log of the local node, and at firewallrules and tls of node `{status.remote_node}`"
