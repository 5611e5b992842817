"""How a job goes to its node."""

from __future__ import annotations

from pathlib import Path

import pytest
from receptor_runner.receptor.nodes.destination import Destination
from receptor_runner.receptor.nodes.embedded import EmbeddedNode
from receptor_runner.receptor.nodes.locate import LocalNode

NAMED = LocalNode(socket="/run/receptor.sock", source="--socket")
EMBEDDED = LocalNode(socket="/node/control.sock", source="started", embedded=EmbeddedNode(Path("/node")))


@pytest.mark.parametrize(
    ("destination", "local", "level"),
    [
        (Destination(), EMBEDDED, 1),
        (Destination(), NAMED, None),
        (Destination(), None, None),
        (Destination(node="exec1"), NAMED, 6),
        (Destination(node="exec1", compression_level=0), NAMED, 0),
        (Destination(compression_level=9), EMBEDDED, 9),
    ],
)
def test_the_way_decides_how_hard_files_are_compressed(
    destination: Destination, local: LocalNode | None, level: int | None
) -> None:
    """Fast where nothing leaves the machine, small where a mesh carries it, and as asked for in any case."""
    assert destination.level(local) == level
