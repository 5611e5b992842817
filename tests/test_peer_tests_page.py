"""The page that sets ansible-runner's own tests against ours names only tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/peer-tests.md"
ROWS = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and "---" not in line]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text())))


@cache
def names_in(path: Path) -> set[str]:
    """Return the names of the tests in a file."""
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("path", sorted({path for path, _name in NAMED}))
def test_every_named_test_exists(path: str) -> None:
    """A counterpart that is named is there to be run."""
    wanted = {name for file, name in NAMED if file == path}
    assert wanted - names_in(ROOT / path) == set()


def test_every_row_says_something() -> None:
    """Each of their tests has a counterpart or a reason, and each file of theirs stands there once."""
    assert len(NAMED) > 80
    for row in ROWS:
        theirs, here = row.strip("| ").split(" | ")
        assert theirs, row
        assert "::" in here or len(here.split()) > 3 or here == "here", row
    headings = re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE)
    assert len(headings) == len(set(headings))
