"""Which changes of a receptor.yml require a restart of the node."""

from __future__ import annotations

import pytest
from receptor_runner.node.reload import find_change
from receptor_runner.receptor_config.parse import parse


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("- node: {id: a, datadir: b}\n", "- node: {datadir: b, ID: 'a'}\n", None),
        ("- node: a\n", "- node: a\n- local-only:\n", None),
        ("- node: a\n- local-only:\n", "# moved down\n\n- node:\n    id: a\n", None),
        ("- node: a\n", "- node: b\n", "'node' was modified or added"),
        ("- node: a\n- log-level: info\n", "- node: a\n", "'log-level' was removed"),
    ],
)
def test_changes_that_require_a_restart(old: str, new: str, change: str | None) -> None:
    """Only what the daemon can reload may change without a restart; order and layout do not matter."""
    found = find_change(parse(old).blocks, parse(new).blocks)

    assert found is None if change is None else change in str(found)
