"""The first output of a unit comes from its file, and the rest from the node, nothing lost or repeated."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from receptor_runner.errors import NodeUnavailable
from receptor_runner.receptor.control.processes import NodeProcesses
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.jobs import early_output
from receptor_runner.receptor.jobs.early_output import EarlyOutput
from tests.harness import wait_until


class Node:
    """Sends the results of a unit, which it reads from the same file."""

    def __init__(self, path: Path) -> None:
        self.offsets: list[int] = []
        self.closed = 0
        self.refuses = False
        self._path = path

    def open(self, offset: int) -> Node:
        """Open the results."""
        if self.refuses:
            raise NodeUnavailable("the node does not answer")
        self.offsets.append(offset)
        return self

    def read(self, _wait_s: float, /) -> bytes | None:
        """Return what the file holds behind the offset, once."""
        data = self._path.read_bytes()[self.offsets[-1] :]
        self.offsets.append(self.offsets[-1] + len(data))
        return data

    def close(self) -> None:
        """Count how often it is closed."""
        self.closed += 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a unit's output."""
    made = tmp_path / "stdout"
    made.touch()
    return made


@pytest.fixture
def node(path: Path) -> Node:
    """The node of the unit."""
    return Node(path)


@pytest.fixture
def output(path: Path, node: Node, monkeypatch: pytest.MonkeyPatch) -> Iterator[EarlyOutput]:
    """The output, which stays early for as long as a test takes."""
    monkeypatch.setattr(early_output, "_EARLY_S", 600)
    with EarlyOutput(os.open(path, os.O_RDONLY), node.open) as made:
        yield made


def append(path: Path, data: bytes) -> None:
    """Append to a file."""
    with path.open("ab") as file:
        file.write(data)


def test_what_is_written_comes_at_once(output: EarlyOutput, path: Path, node: Node) -> None:
    """In pieces, from the file; the node is not asked."""
    assert output.read(0.01) is None
    append(path, b"first")
    assert output.read(30) == b"first"
    append(path, b"second")
    assert output.read(30) == b"second"
    assert output.read(0) is None
    assert node.offsets == []


def test_after_a_while_the_node_sends_the_rest(output: EarlyOutput, path: Path, node: Node) -> None:
    """From the byte at which the file was left; the connection is closed at the end."""
    append(path, b"first")
    assert output.read(30) == b"first"
    output._until = 0
    append(path, b"second")
    assert output.read(30) == b"second"
    assert output.read(30) == b""
    assert node.offsets[0] == 11
    append(path, b"third")
    assert output.read(30) == b"third"
    output.__exit__()
    assert node.closed == 1
    output._descriptor = os.open(path, os.O_RDONLY)


def test_a_node_that_does_not_answer_then_is_an_end(output: EarlyOutput, node: Node) -> None:
    """Whoever follows the unit asks for its status, and opens the results again."""
    output._until = 0
    node.refuses = True
    assert output.read(0) == b""
    assert output.read(0) == b""


def test_the_file_is_found_by_the_process_that_writes_it(
    path: Path, monkeypatch: pytest.MonkeyPatch, short_dir: Path
) -> None:
    """The descriptor of a process that has it open leads there; other processes lead nowhere."""
    processes = NodeProcesses(Control(str(short_dir / "c.sock")))
    monkeypatch.setattr(processes, "_are_visible", lambda: True)
    unit = path.parent.name
    script = f"file = open({str(path)!r}, 'ab'); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as runner:
        assert runner.stdout
        assert runner.stdout.readline() == b"open\n"
        append(path, b"output")
        descriptor = processes.open_output(unit, runner.pid)
        assert descriptor is not None
        assert os.read(descriptor, 100) == b"output"
        os.close(descriptor)
        assert processes.open_output("another", runner.pid) is None
        runner.kill()
    wait_until(lambda: processes.open_output(unit, runner.pid) is None, "the process is gone")
