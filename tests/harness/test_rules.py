"""The rules of the tests themselves."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
CODE = {
    str(path.relative_to(TESTS)): path.read_text() for path in TESTS.rglob("*.py") if path != Path(__file__)
}


def places(pattern: str) -> set[str]:
    """Return the files that hold a pattern."""
    return {name for name, text in CODE.items() if re.search(pattern, text)}


def test_nothing_sleeps_for_a_fixed_time() -> None:
    """Only what polls for a condition sleeps: `wait_until`, and the worker that waits for its gate."""
    assert places(r"\bsleep\(") <= {"harness/waiting.py", "faults/actor.py"}


def test_what_the_harness_has_is_written_once() -> None:
    """There is one way to wait and one to find the real daemon."""
    assert places(r"def wait_until\(") == {"harness/waiting.py"}
    assert places(r"def find_receptor\(") == {"harness/nodes.py"}
    assert places(r"which\(.receptor.\)") == set()


def test_nobody_imports_from_a_conftest_what_is_in_the_harness() -> None:
    """`tests/conftest.py` holds fixtures only."""
    assert places(r"from tests\.conftest import") == set()
