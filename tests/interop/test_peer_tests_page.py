"""The page that sets ansible-runner's own tests against ours names only tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).with_name("peer-tests.md").read_text()
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
NAMED = {name for _theirs, here in ROWS for name in re.findall(r"`(test_\w+)`", here)}
TESTS = Path(__file__).parents[1]


def test_every_named_test_exists() -> None:
    """A counterpart that is named is there to be run."""
    code = "".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    assert NAMED - set(re.findall(r"def (test_\w+)\(", code)) == set()


def test_every_row_says_something() -> None:
    """Each of their tests has a counterpart or a reason, and each file of theirs stands there once."""
    assert len(NAMED) > 80
    for theirs, here in ROWS:
        assert theirs, here
        assert "`test_" in here or len(here.split()) > 3 or here == "here", theirs
    headings = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert len(headings) == len(set(headings))
