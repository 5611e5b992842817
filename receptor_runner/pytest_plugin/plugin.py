"""The options, the marker and the fixtures that pytest loads.

Pytest loads this module in every run in an environment that has this package, also where no test uses it. So it
imports nothing else of the package until a fixture is used, and changes nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from receptor_runner.errors import RunnerError
    from receptor_runner.pytest_plugin.meshes import ReceptorMesh
    from receptor_runner.pytest_plugin.nodes import Node, NodeKind
    from receptor_runner.pytest_plugin.playbooks import RunPlaybook
    from receptor_runner.pytest_plugin.results import PlaybookResult

_KINDS = ("embedded", "daemon", "auto")
_MARKER = (
    "receptor_node(kind, ...): run the test on a node of each kind, `embedded` or `daemon`; "
    "without the daemon that part is skipped"
)
_SHOWN_LINES = 40

_environment = pytest.StashKey[dict[str, str]]()
_current_test = pytest.StashKey[pytest.Item]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and their settings in the configuration file."""
    group = parser.getgroup("receptor", "receptor-runner: Ansible jobs on Receptor nodes")
    group.addoption(
        "--receptor-node",
        choices=_KINDS,
        help="The node of receptor_node and run_playbook: `embedded` needs nothing; `daemon` is the real receptor, and "
        "then nothing is skipped for the lack of it; `auto` is the daemon where it is installed.",
    )
    group.addoption(
        "--receptor-artifacts",
        metavar="DIR",
        help="Keep the artifacts of run_playbook in DIR/TEST, such as for an upload; by default below pytest's "
        "temporary directory.",
    )
    parser.addini("receptor_node", "default of --receptor-node (`embedded`)", default="embedded")
    parser.addini("receptor_project", "the Ansible project of run_playbook, relative to rootdir", default=".")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; note the environment before any test changes it."""
    config.addinivalue_line("markers", _MARKER)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    config.stash[_environment] = kept


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with the marker once for each kind that it names."""
    marker = metafunc.definition.get_closest_marker("receptor_node")
    if marker and "receptor_node" in metafunc.fixturenames:
        metafunc.parametrize("receptor_node", marker.args, indirect=True, scope="session")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Note which test runs: fixtures of the whole session serve it too."""
    item.config.stash[_current_test] = item


@pytest.fixture(scope="session")
def receptor_node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """A running Receptor node for the session: `.socket`, `.name`, `.config` (its receptor.yml), `.log`.
    By default it is the embedded node, which needs nothing but this package. It is the real daemon with
    --receptor-node=daemon, `receptor_node = daemon` in the configuration file, or @pytest.mark.receptor_node("daemon").

    With xdist each worker process has its own. The node and all jobs on it end with the session, even if pytest is
    killed. The node, and so ansible-playbook, has the environment that pytest started with.
    """
    from receptor_runner.errors import RunnerError
    from receptor_runner.pytest_plugin.nodes import Supervised

    program = _program(request)
    try:
        running = Supervised({"program": program}, request.config.stash[_environment])
    except RunnerError as error:
        _fail(error)
    yield running.nodes["primary"]
    running.close()


@pytest.fixture(scope="session")
def run_playbook(
    request: pytest.FixtureRequest, receptor_node: Node, tmp_path_factory: pytest.TempPathFactory
) -> RunPlaybook:
    """Run a playbook on receptor_node, as `receptor-runner playbook` does, and return how it ended.
        def test_site(run_playbook):
            run_playbook("site.yml", inventory="hosts.ini").assert_ok()
    (`pytest --fixtures -v` has more.)

        def test_twice(run_playbook):
            result = run_playbook("site.yml", inventory="hosts.ini", extra_vars={"version": 2}).assert_ok()
            assert result.changed == 3
            assert result.events_of("runner_on_skipped", host="web1") == ()
            run_playbook("site.yml", inventory="hosts.ini").assert_unchanged()

    The result has `status`, `exit_code`, `events`, `recap` (by host), `changed`, `failures`, `stdout` and `artifacts`.
    `assert_ok()` and `assert_unchanged()` return it, or fail with the messages of the tasks that are to blame.
    Arguments: playbooks; inventory, limit, tags, skip_tags, extra_vars, check, diff, timeout_s, envvars; `options` for
    any other option of ansible-playbook; `on` for another node. Paths are relative to the setting `receptor_project`,
    by default rootdir. Fixtures of any scope may use it.
    """
    from receptor_runner.pytest_plugin.playbooks import RunPlaybook, safe_name

    config = request.config
    chosen = config.getoption("receptor_artifacts")
    base = config.invocation_params.dir / chosen if chosen else tmp_path_factory.getbasetemp() / "receptor"

    def directory_of_test() -> Path:
        return base / safe_name(config.stash[_current_test].nodeid)

    return RunPlaybook(
        node=receptor_node,
        project=config.rootpath / config.getini("receptor_project"),
        directory_of_test=directory_of_test,
        on_result=lambda result: _attach_output(config.stash[_current_test], result),
    )


@pytest.fixture(scope="session")
def receptor_mesh(request: pytest.FixtureRequest) -> Iterator[ReceptorMesh]:
    """Start a mesh of real daemons on this machine: that of a mesh.yml, or one of a given size.
        def test_site(run_playbook, receptor_mesh):
            mesh = receptor_mesh("mesh.yml")  # or receptor_mesh(workers=2, hops=1, tls=False, signed=False)
            run_playbook("site.yml", inventory="hosts.ini", on=mesh.worker).assert_ok()
    Without the daemon the test is skipped; with --receptor-node=daemon it fails.

    `mesh.control`, `mesh.worker`, `mesh.workers` and `mesh["NAME"]` are nodes. Paths are relative to rootdir. Tests
    that ask for the same mesh share it; it ends with the session, even if pytest is killed.
    """
    from receptor_runner.pytest_plugin.meshes import ReceptorMesh

    _daemon(request.config)
    meshes = ReceptorMesh(project=request.config.rootpath, environment=request.config.stash[_environment])
    yield meshes
    meshes.close()


def _program(request: pytest.FixtureRequest) -> str | None:
    """Return the path of the daemon, or None for the embedded node."""
    from receptor_runner.pytest_plugin.nodes import NodeKind

    wanted = NodeKind(getattr(request, "param", _chosen_kind(request.config)))
    return (
        None if wanted is NodeKind.EMBEDDED else _daemon(request.config, is_optional=wanted is NodeKind.AUTO)
    )


def _daemon(config: pytest.Config, *, is_optional: bool = False) -> str | None:
    """Return the path of the daemon; without it return None, fail or skip, as the options say."""
    from receptor_runner.errors import MissingInput
    from receptor_runner.mesh.local import find_receptor
    from receptor_runner.pytest_plugin.nodes import NodeKind

    try:
        return find_receptor()
    except MissingInput as error:
        if is_optional:
            return None
        if _chosen_kind(config) is NodeKind.DAEMON:
            _fail(error)
        pytest.skip(f"{error} (--receptor-node=daemon makes this a failure)")


def _fail(error: RunnerError) -> NoReturn:
    pytest.fail("\n".join(error.lines()), pytrace=False)


def _chosen_kind(config: pytest.Config) -> NodeKind:
    from receptor_runner.pytest_plugin.nodes import NodeKind

    name = config.getoption("receptor_node") or config.getini("receptor_node")
    if name not in _KINDS:
        raise pytest.UsageError(f"receptor_node = {name}: expected {', '.join(_KINDS)}")
    return NodeKind(name)


def _attach_output(item: pytest.Item, result: PlaybookResult) -> None:
    """Show the end of the output in the report of the test, should it fail."""
    lines = result.stdout.splitlines()
    left_out = len(lines) - _SHOWN_LINES
    head = [f"[{left_out} lines before; all of it: {result.artifacts / 'stdout'}]"] if left_out > 0 else []
    when = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition("(")[2].rstrip(")") or "call"
    item.add_report_section(when, result.playbook, "\n".join([*head, *lines[-_SHOWN_LINES:], ""]))
