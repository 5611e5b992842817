"""What a worker has need not travel: what is remembered of it, when it is asked, and what its answer means."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from receptor_runner.archive.references import candidates, digests_of
from receptor_runner.archive.zip_format import REFERENCE
from receptor_runner.archive.zip_reader import ZipReader
from receptor_runner.errors import NodeUnavailable, RunnerError, StreamError
from receptor_runner.job import Job
from receptor_runner.receptor.jobs.reduction import Reduction, read_answer
from receptor_runner.receptor.jobs.routing import has_store
from receptor_runner.receptor.nodes.preflight import Route
from receptor_runner.store.remembered import WorkerMemory
from receptor_runner.stream.encoder import EOF_LINE, encode_line
from receptor_runner.transmit import Shipment, prepare
from tests.harness import Project

WANTED = [bytes([number]) * 32 for number in range(3)]


def test_the_answer_names_what_is_lacking() -> None:
    """Numbers in the answer are places in the question, whatever else the worker says."""
    output = encode_line({"worker_output": "x"}) + encode_line({"lacking": [0, 2]}) + EOF_LINE
    assert read_answer(output, WANTED) == {WANTED[0], WANTED[2]}


@pytest.mark.parametrize(
    "output",
    [
        b"",
        EOF_LINE,
        encode_line({"lacking": []}),
        encode_line({"lacking": [3]}) + EOF_LINE,
        encode_line({"lacking": [-1]}) + EOF_LINE,
        encode_line({"lacking": ["0"]}) + EOF_LINE,
        encode_line({"status": "error", "job_explanation": "no JSON"}) + EOF_LINE,
    ],
)
def test_anything_else_is_no_answer(output: bytes) -> None:
    """A refusal, a torn stream or nonsense never counts as a file that is there."""
    with pytest.raises(StreamError):
        read_answer(output, WANTED)


@pytest.mark.parametrize(
    ("node", "work_type", "asked"),
    [("far", "receptor-runner", True), ("near", "receptor-runner", False), ("far", "ansible-runner", False)],
)
def test_only_our_workers_on_other_nodes_are_asked(node: str, work_type: str, asked: bool) -> None:
    """To the local node sending is faster than asking, and others have no store."""
    assert has_store(Route(node=node, local="near", work_type=work_type)) is asked


MIB = 1 << 20


class Asked:
    """A worker that answers: its questions are counted.

    Attributes:
        lacking: what it says that it lacks; None for everything.
        refusal: what goes wrong instead.
        count: how often it was asked.
    """

    def __init__(self, lacking: set[bytes] | None = None, refusal: RunnerError | None = None) -> None:
        self.lacking = lacking
        self.refusal = refusal
        self.count = 0

    def __call__(self, wanted: Sequence[bytes]) -> set[bytes]:
        self.count += 1
        if self.refusal:
            raise self.refusal
        return set(wanted) if self.lacking is None else self.lacking


@pytest.fixture
def shipment(project: Project) -> Iterator[Shipment]:
    """A job with five files of a mebibyte that do not shrink."""
    for number in range(5):
        project.write(f"project/files/{number}", "").write_bytes(os.urandom(MIB))
    made = prepare(Job(playbook="test.yml", ident="1"), project.path)
    yield made
    made.close()


@pytest.fixture
def memory(tmp_path: Path) -> WorkerMemory:
    """What is remembered of the worker: nothing yet."""
    return WorkerMemory(directory=tmp_path / "state", worker=("near", "far"))


def reduction(shipment: Shipment, memory: WorkerMemory, ask: Asked) -> Reduction:
    """Return the ways to send a job to that worker."""
    assert shipment.archive
    entries = {entry.name: entry for entry in candidates(shipment.archive, shipment.may_be_kept)}
    digests = digests_of(shipment.archive, list(entries.values()))
    return Reduction(shipment=shipment, entries=entries, digests=digests, memory=memory, ask=ask)


def referred(reduced: Shipment) -> set[str]:
    """Return the names of the files that stay at home."""
    assert reduced.archive
    found = {entry.name for entry in ZipReader(reduced.archive.file).entries() if entry.method == REFERENCE}
    reduced.close()
    return found


def test_the_second_job_does_not_ask(shipment: Shipment, memory: WorkerMemory) -> None:
    """The first one asks and brings everything; from then on it is remembered, whatever else changes a little."""
    ask = Asked()
    first = reduction(shipment, memory, ask)
    assert referred(next(first.attempts())) == set()
    first.note_accepted()

    second = reduction(shipment, memory, ask)
    assert referred(next(second.attempts())) == set(second.digests)
    assert ask.count == 1


def test_a_job_that_brings_little_does_not_ask(shipment: Shipment, memory: WorkerMemory) -> None:
    """What is new travels with its mark."""
    ask = Asked()
    made = reduction(shipment, memory, ask)
    memory.note_kept(digest for name, digest in made.digests.items() if name != "project/files/0")
    assert referred(next(made.attempts())) == set(made.digests) - {"project/files/0"}
    assert ask.count == 0


def test_a_job_that_brings_much_asks(shipment: Shipment, memory: WorkerMemory) -> None:
    """Another client may have brought the same files."""
    ask = Asked(lacking=set())
    made = reduction(shipment, memory, ask)
    memory.note_kept([made.digests["project/files/0"]])
    assert referred(next(made.attempts())) == set(made.digests)
    assert ask.count == 1


def test_a_worker_that_refused_is_asked_and_then_gets_everything(
    shipment: Shipment, memory: WorkerMemory
) -> None:
    """A memory that was wrong is forgotten; the last way, after another refusal, is the caller's: the whole job."""
    made = reduction(shipment, memory, Asked(lacking={b"?"}))
    memory.note_kept(made.digests.values())
    attempts = made.attempts()
    next(attempts).close()
    assert memory.kept
    next(attempts).close()
    assert not memory.kept
    assert list(attempts) == []


@pytest.mark.parametrize(
    ("refusal", "remembered"),
    [(StreamError("no"), True), (NodeUnavailable("gone"), False)],
    ids=["refuses", "gone"],
)
def test_a_worker_without_a_store_is_remembered(
    shipment: Shipment, memory: WorkerMemory, refusal: RunnerError, remembered: bool
) -> None:
    """Only by its own word, not because it was not reached."""
    made = reduction(shipment, memory, Asked(refusal=refusal))
    assert list(made.attempts()) == []
    assert memory.refuses is remembered
