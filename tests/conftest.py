"""The fixtures that all tests share; what they hand out is in `tests/harness`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.harness import (
    NODE_KINDS,
    CommandLine,
    Commands,
    Headless,
    NodeFactory,
    Project,
    ServedNode,
    find_receptor,
    isolated_environment,
    kill_processes_of,
    render_node,
    short_directory,
)
from tests.harness.in_process import restored_logger
from tests.harness.processes import default_signals
from tests.harness.projects import hello_project
from tests.harness.wheels import build_wheel

default_signals()

pytest_plugins = ["pytester"]

# How long an example takes says more about the machine than about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A directory with a path short enough for unix sockets."""
    with short_directory() as path:
        yield path


@pytest.fixture(scope="session", autouse=True)
def _state() -> Iterator[None]:
    """What tests submit in their own process is noted in a state directory of theirs."""
    with short_directory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(directory))
        yield


@pytest.fixture(autouse=True)
def _logger() -> Iterator[None]:
    """A command line that a test calls in its own process leaves no handler and no level to the next test."""
    with restored_logger():
        yield


@pytest.fixture
def environment(tmp_path: Path, short_dir: Path) -> Iterator[dict[str, str]]:
    """An environment of its own: no home, no node, no settings of the person who runs the tests.

    An embedded node that was started in it is gone afterwards.
    """
    yield isolated_environment(tmp_path / "home", short_dir / "run")
    kill_processes_of(tmp_path / "home")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A private data directory with one local host and a playbook `test.yml` that says hello."""
    return hello_project(tmp_path / "pdd")


@pytest.fixture
def commands(environment: dict[str, str], tmp_path: Path) -> Iterator[Commands]:
    """Commands in the isolated environment."""
    runner = Commands(environment, tmp_path)
    yield runner
    runner.close()


@pytest.fixture
def command_line(environment: dict[str, str], tmp_path: Path) -> CommandLine:
    """The command line in this process, in the isolated environment."""
    return CommandLine(environment, tmp_path)


@pytest.fixture
def headless() -> Iterator[Headless]:
    """A process whose first thread has ended."""
    made = Headless()
    yield made
    made.close()


@pytest.fixture(scope="session")
def receptor_bin() -> str:
    """The path of the real daemon; the test is skipped where there is none."""
    return find_receptor()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our wheel, built once for all tests."""
    return build_wheel(tmp_path_factory)


@pytest.fixture
def node_factory(environment: dict[str, str], short_dir: Path) -> Iterator[NodeFactory]:
    """Make running nodes of either kind from the same receptor.yml, rendered from our template."""
    made: list[ServedNode] = []

    def make(kind: str) -> ServedNode:
        made.append(render_node(kind, short_dir / f"{kind}{len(made)}", environment))
        made[-1].start()
        return made[-1]

    yield make
    for node in made:
        node.close()


@pytest.fixture(params=NODE_KINDS)
def node(request: pytest.FixtureRequest, node_factory: NodeFactory) -> ServedNode:
    """A running node, of each kind in turn."""
    return node_factory(str(request.param))
