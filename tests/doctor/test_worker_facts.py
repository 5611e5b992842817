"""What a worker reports is judged without asking anybody; what it does not report is not judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import receptor_runner
from receptor_runner._version import __version__
from receptor_runner.doctor import worker
from receptor_runner.doctor.local_node import local_steps
from receptor_runner.doctor.machine import machine_steps
from receptor_runner.doctor.node import node_steps
from receptor_runner.doctor.verdict import State, Verdict
from receptor_runner.doctor.view import LocalView, NodeView
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.nodes.destination import Destination
from receptor_runner.receptor.nodes.locate import LocalNode

OURS: dict[str, Any] = {
    "receptor_runner_version": __version__,
    "ansible_core_version": "2.19.1",
    "ansible_playbook": "/usr/bin/ansible-playbook",
    "python_version": "3.12.1",
    "isolation_engines": {"podman": "5.0"},
    "disk_free_in_bytes": {"units": 2**40, "temporary": 2**40},
    "inotify": {"max_user_instances": 8192, "max_user_watches": 65536},
}
PEERS: dict[str, Any] = {"cpu_count": 2, "mem_in_bytes": 2**30, "runner_version": "2.4.3", "errors": []}


def view_of(facts: Mapping[str, Any], here: str = "", there: str = "") -> NodeView:
    """Return a node whose worker has reported; the versions are those of the daemons."""
    local = LocalNode(socket="/nowhere", source="a test")
    view = LocalView(destination=Destination(), local=local, control=Control("/nowhere"), version=here)
    return NodeView(here=view, name="exec1", within_s=1, facts=facts, version=there)


@pytest.mark.parametrize(
    ("facts", "here", "there", "state", "words"),
    [
        (OURS, "1.5.1", "1.5.1", State.OK, __version__),
        (OURS, "", "1.5.1", State.OK, __version__),
        (OURS, "1.5.1", "1.4.0", State.WARNING, "receptor 1.4.0 there, 1.5.1 here"),
        (OURS | {"receptor_runner_version": "9.9"}, "", "", State.WARNING, "receptor-runner 9.9 there"),
        (PEERS, "", "", State.OK, "ansible-runner 2.4.3"),
    ],
)
def test_versions(facts: Mapping[str, Any], here: str, there: str, state: State, words: str) -> None:
    """Both receptor-runner and receptor are compared, where both sides are known."""
    verdict = worker.check_versions(view_of(facts, here, there))
    assert verdict.state is state
    assert words in verdict.summary


@pytest.mark.parametrize(
    ("changes", "state", "words"),
    [
        ({}, State.OK, "ansible-core 2.19.1, Python 3.12.1"),
        ({"ansible_core_version": None}, State.OK, "/usr/bin/ansible-playbook"),
        ({"ansible_playbook": None}, State.FAILED, "no ansible-playbook"),
        ({"ansible_playbook": None, "container": {"image": "ee:1", "engine": None}}, State.OK, "image ee:1"),
    ],
)
def test_ansible(changes: dict[str, Any], state: State, words: str) -> None:
    """What counts is whether the worker finds ansible-playbook, wherever it was installed."""
    verdict = worker.check_ansible(view_of(OURS | changes))
    assert verdict.state is state
    assert words in verdict.summary


@pytest.mark.parametrize(
    ("engines", "words"), [({"podman": "5.0"}, "podman 5.0"), ({}, "none: jobs run without isolation")]
)
def test_engines(engines: dict[str, str], words: str) -> None:
    """Engines are named, and that there is none is no fault."""
    verdict = worker.check_engines(view_of(OURS | {"isolation_engines": engines}))
    assert (verdict.state, verdict.summary) == (State.OK, words)


@pytest.mark.parametrize(
    ("engine", "state"),
    [(None, State.OK), ("podman", State.OK), ("/usr/bin/podman", State.OK), ("docker", State.FAILED)],
)
def test_the_engine_for_jobs(engine: str | None, state: State) -> None:
    """The engine in which the worker runs jobs by default has to be there."""
    verdict = worker.check_engines(view_of(OURS | {"container": {"image": "ee:1", "engine": engine}}))
    assert verdict.state is state
    assert (state is State.OK) or verdict.summary.startswith("docker, which its jobs run in")


@pytest.mark.parametrize(
    "check",
    [
        worker.check_ansible,
        worker.check_engines,
        worker.check_space,
        worker.check_inotify,
        worker.check_versions,
    ],
)
def test_a_worker_of_ansible_runner(check: Callable[[NodeView], Verdict]) -> None:
    """It reports fewer facts, and none of that is held against it."""
    assert check(view_of(PEERS)).state in {State.OK, State.SKIPPED}


def test_the_page_has_every_step() -> None:
    """docs/doctor.md explains each step by its name, in the order in which they are taken."""
    page = (Path(receptor_runner.__file__).parents[1] / "docs" / "doctor.md").read_text()
    node = node_steps(is_local=False, is_embedded=False, echo=True)
    for title, steps in (
        ("this machine", machine_steps()),
        ("local node", local_steps(is_embedded=False)),
        ("each target node", node),
    ):
        table = page.split(f"| {title} | |\n|---|---|\n")[1].split("\n\n")[0]
        assert [row.split("`")[1] for row in table.splitlines()] == [step.name for step in steps], title
