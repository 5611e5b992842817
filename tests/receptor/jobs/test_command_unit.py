"""A command of a worker's, run as a unit: its end beyond doubt, and no unit left."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest
from receptor_runner.errors import NodeUnavailable, StreamError
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.jobs import command_unit
from receptor_runner.receptor.jobs.command_unit import CommandEnd, run_command
from receptor_runner.receptor.jobs.follow_policy import FollowPolicy
from receptor_runner.receptor.nodes.destination import Destination
from tests.harness import NODE_KINDS, NodeFactory, ServedNode

BothKinds = pytest.mark.parametrize("kind", NODE_KINDS)
Serving = Callable[[str, str], ServedNode]


@pytest.fixture
def serving(node_factory: NodeFactory) -> Serving:
    """Make a node of a kind whose work-command is another program."""

    def make(kind: str, program: str) -> ServedNode:
        node = node_factory(kind)
        node.kill()
        lines = node.config.read_text().splitlines()
        path = shutil.which(program)
        changed = [f"    command: {path}" if "command: /" in line else line for line in lines]
        node.config.write_text("\n".join(changed).replace("    params: worker\n", ""))
        node.start()
        return node

    return make


def run(node: ServedNode, words: str, policy: FollowPolicy | None = None) -> CommandEnd:
    """Run a command on a node."""
    return run_command(Destination(socket=str(node.socket)), words, policy or FollowPolicy())


def units(node: ServedNode) -> list[str]:
    """Return the units that a node has."""
    return list(Control(str(node.socket)).units())


@BothKinds
def test_output_and_exit_code_come_home(serving: Serving, kind: str) -> None:
    """All that the command prints on either stream, its exit code, the node's name; the unit is gone."""
    node = serving(kind, "sh")
    end = run(node, "-c 'echo out; echo err >&2; exit 74'")
    assert (end.text, end.exit_code, end.succeeded, end.node) == ("out\nerr", 74, False, "primary")
    end = run(node, "-c 'head -c 3000000 /dev/zero'")
    assert (len(end.output), end.exit_code, end.succeeded) == (3000000, 0, True)
    assert units(node) == []


@pytest.mark.slow
@BothKinds
def test_a_command_that_does_not_end_is_given_up(serving: Serving, kind: str) -> None:
    """After the time that was given, silent or not, the wait is over and the command with it."""
    node = serving(kind, "sh")
    policy = FollowPolicy(wait_timeout_s=0.5, status_interval_s=0.2)
    for words in ("-c 'sleep 60'", "-c 'while sleep 0.05; do echo x; done'"):
        with pytest.raises(NodeUnavailable, match=r"no answer within 0\.5 s"):
            run(node, words, policy)
    assert units(node) == []


def test_a_flood_is_refused(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node cannot fill our memory; its unit is removed."""
    monkeypatch.setattr(command_unit, "SIZE_LIMIT", 100_000)
    node = serving("embedded", "yes")
    with pytest.raises(StreamError, match="prints too much"):
        run(node, "flood")
    assert units(node) == []


def test_what_could_steer_a_terminal_is_taken_out() -> None:
    """The words of a node are shown, its escapes are not."""
    end = CommandEnd(output=b"a\x1b[31mb\r\nc\xff\n", node="n", succeeded=True, detail="exit status 0")
    assert end.text == "a?[31mb\nc\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("detail", "code"), [("exit status 64", 64), ("Error: exit status 1", 1), ("signal: killed", None)]
)
def test_the_exit_code_is_read_from_the_detail(detail: str, code: int | None) -> None:
    """Only a node that tells the exit code is believed to have one."""
    assert CommandEnd(output=b"", node="n", succeeded=False, detail=detail).exit_code == code
