"""The table of intended differences and the tests that show them."""

from __future__ import annotations

import re
from pathlib import Path

# These are shown by tests of the embedded node alone, or by what is not there.
ELSEWHERE = {
    "status-survives-full-disk",
    "prompt-results",
    "default-data-directory",
    "senseless-permissions",
    "loopback-only",
    "socket-required",
    "buffered-stdout",
    "no-payload-trace",
}


def test_each_listed_difference_is_shown() -> None:
    """The documentation lists exactly the differences that the tests name."""
    tests = Path(__file__).parent
    listed = re.findall(r"^\| `([a-z-]+)` \| .+ \| .+ \|$", _differences(tests.parents[1]), re.MULTILINE)
    used = {
        name
        for path in tests.glob("test_*.py")
        for name in re.findall(r"(?:difference|documented)\(\"([a-z-]+)\"\)", path.read_text())
    }
    assert len(listed) == len(set(listed))
    assert set(listed) == used | ELSEWHERE


def _differences(root: Path) -> str:
    return (root / "docs" / "node.md").read_text().partition("## Differences")[2]
