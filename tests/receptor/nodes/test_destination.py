"""How a job goes to its node."""

from __future__ import annotations

from pathlib import Path

import pytest
from receptor_runner.errors import Unreachable
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.control.retry import Attempt, RetryPolicy
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
        (Destination(node="localhost"), NAMED, None),
        (Destination(node="LocalHost"), EMBEDDED, 1),
        (Destination(node="exec1", compression_level=0), NAMED, 0),
        (Destination(compression_level=9), EMBEDDED, 9),
    ],
)
def test_the_way_decides_how_hard_files_are_compressed(
    destination: Destination, local: LocalNode | None, level: int | None
) -> None:
    """Fast where nothing leaves the machine, small where a mesh carries it, and as asked for in any case."""
    assert destination.level(local) == level


def test_a_missing_socket_is_given_up_soon(short_dir: Path) -> None:
    """A node whose socket does not exist is waited for three seconds, not for the whole deadline."""
    attempts: list[Attempt] = []
    destination = Destination(retry=RetryPolicy(deadline_s=600, report=attempts.append))
    control = Control(str(short_dir / "none.sock"))
    with pytest.raises(Unreachable, match="the socket does not exist"):
        destination.ask(control, control.status, "asking")
    assert {attempt.deadline_s for attempt in attempts} == {3}
