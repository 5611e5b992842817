"""Nodes that the behaviour tests of one process share, and the transports over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from receptor_runner.receptor.control.protocol import Control
from tests.harness import (
    BIN,
    LOCALHOST,
    NODE_KINDS,
    OURS,
    Client,
    Commands,
    Pipe,
    Project,
    ServedNode,
    Through,
    Transport,
    isolated_environment,
    kill_processes_of,
    render_node,
    short_directory,
)

NOISY = f"""#!/bin/sh
echo 'a warning of the node: clock skew' >&2
{OURS} worker "$@"
code=$?
echo 'another warning of the node' >&2
exit $code
"""


@dataclass
class Shared:
    """What the tests of one process share: an environment, and at most one node of each kind.

    A job's own files are its test's; nodes and work types are used by all.
    """

    directory: Path
    environment: dict[str, str]
    workers: dict[str, list[str]]
    nodes: dict[str, ServedNode] = field(default_factory=dict)

    def node(self, kind: str) -> ServedNode:
        """Return the running node of a kind, started if need be."""
        if kind not in self.nodes:
            work = {f"work.{name}": " ".join(words) for name, words in self.workers.items()}
            del work["work.receptor-runner"]  # the template has that one
            node = render_node(kind, self.directory / kind, self.environment, work)
            node.start()
            self.nodes[kind] = node
        return self.nodes[kind]

    def close(self) -> None:
        """Release what failed tests left on the nodes, which stops it, and stop the nodes."""
        for node in self.nodes.values():
            control = Control(str(node.socket))
            for unit_id in control.units():
                control.release(unit_id)
            node.close()
        kill_processes_of(self.directory)


@pytest.fixture(scope="session")
def shared() -> Iterator[Shared]:
    """The shared environment and nodes."""
    with short_directory() as directory:
        noisy = directory / "noisy"
        noisy.write_text(NOISY)
        noisy.chmod(0o755)
        made = Shared(
            directory,
            isolated_environment(directory / "home", directory / "run"),
            {
                "receptor-runner": [OURS, "worker"],
                "ansible-runner": [str(BIN / "ansible-runner"), "worker"],
                "noisy": [str(noisy)],
            },
        )
        yield made
        made.close()


TRANSPORTS = ["pipe", "embedded", pytest.param("receptor", marks=pytest.mark.receptor)]
"""The parameters of a test that meets each transport among the fast tests too."""


@pytest.fixture(params=[pytest.param("pipe", marks=pytest.mark.slow), *NODE_KINDS])
def transport(request: pytest.FixtureRequest, shared: Shared) -> Transport:
    """Each way to run a job, in turn."""
    if request.param == "pipe":
        return Pipe(shared.environment, shared.workers)
    return Through(shared.environment, shared.node(str(request.param)))


@pytest.fixture(params=NODE_KINDS)
def served(request: pytest.FixtureRequest, shared: Shared) -> ServedNode:
    """A shared running node, of each kind in turn."""
    return shared.node(str(request.param))


@pytest.fixture
def client(shared: Shared, served: ServedNode, project: Project) -> Iterator[Client]:
    """Our commands, for the jobs of a project on a node of each kind in turn."""
    commands = Commands(shared.environment, project.path.parent)
    yield Client(commands, project, served.socket)
    commands.close()


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[[str], Project]:
    """Make further projects with one local host."""

    def make(name: str) -> Project:
        made = Project(tmp_path / name)
        made.write("inventory/hosts", LOCALHOST)
        return made

    return make
