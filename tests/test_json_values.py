"""JSON becomes values of ours, with every type checked."""

from __future__ import annotations

import subprocess
import sys

import pytest
from receptor_runner.json_values import from_json
from receptor_runner.outcome import Outcome, Status

MANY_AT_ONCE = """
import sys, threading
from receptor_runner.json_values import from_json
from receptor_runner.results.checkpoint import Checkpoint
sys.setswitchinterval(1e-6)
barrier, value = threading.Barrier(8), {"position": {"offset": 1}}
def convert():
    barrier.wait()
    assert from_json(value, Checkpoint).position.offset == 1
threads = [threading.Thread(target=convert) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_types_are_those_of_the_dataclass() -> None:
    """Enums, tuples and dataclasses in it too; what is missing has its default, and other keys are ignored."""
    value = {"status": "failed", "rc": 2, "warnings": ["a", "b"], "later": {}}
    assert from_json(value, Outcome) == Outcome(status=Status.FAILED, rc=2, warnings=("a", "b"))


@pytest.mark.parametrize("value", [[], None, {}, {"status": 1}, {"status": "failed", "rc": "2"}])
def test_anything_else_is_an_error(value: object) -> None:
    """Whatever is wrong with it."""
    with pytest.raises(ValueError, match=r"Expected|missing|Invalid"):
        from_json(value, Outcome)


def test_threads_may_be_the_first_together() -> None:
    """None of them crashes the process, as the library underneath would let them."""
    for _round in range(20):
        subprocess.run([sys.executable, "-c", MANY_AT_ONCE], check=True)
