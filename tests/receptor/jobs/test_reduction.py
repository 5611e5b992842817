"""The answer of a worker to the question what it lacks."""

from __future__ import annotations

import pytest
from receptor_runner.errors import StreamError
from receptor_runner.receptor.jobs.reduction import has_store, read_answer
from receptor_runner.receptor.nodes.preflight import Route
from receptor_runner.stream.encoder import EOF_LINE, encode_line

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
