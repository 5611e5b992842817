"""Python's `run` in slices: one runner for the sliced job, the handlers of the caller for all slices."""

from __future__ import annotations

from typing import Any

import pytest
from receptor_runner import MissingInput, run
from receptor_runner.slices.runner import SlicedRunner
from tests.harness import Project, ServedNode
from tests.slices.conftest import HOSTS


@pytest.fixture
def hosts(project: Project) -> Project:
    """A project with three local hosts, of which web1 fails."""
    project.write("inventory/hosts", HOSTS)
    project.playbook("- command: 'false'\n  when: inventory_hostname == 'web1'")
    return project


def test_one_runner_for_all_slices(hosts: Project, node: ServedNode) -> None:
    """The worst slice is the result; events and statuses name slice and node; each slice has a runner of its own."""
    events: list[tuple[int, str]] = []
    statuses: list[tuple[int, str]] = []

    def take_event(event: dict[str, Any]) -> bool:
        events.append((event["slice"], event["node"]))
        return True

    runner = run(
        private_data_dir=hosts.path,
        playbook="test.yml",
        ident="job",
        socket=str(node.socket),
        quiet=True,
        node=["localhost", "localhost"],
        event_handler=take_event,
        status_handler=lambda data, runner_config: statuses.append((data["slice"], data["status"])),
    )
    assert isinstance(runner, SlicedRunner)
    assert (runner.status, runner.rc) == ("failed", 2)
    assert "slice 2" in str(runner.explanation)
    assert {number for number, _node in events} == {1, 2}
    assert {name for _number, name in events} == {"primary"}
    assert {(1, "successful"), (2, "failed")} <= set(statuses)
    assert [part.status for part in runner.slices] == ["successful", "failed"]
    assert [sorted((part.stats or {})["processed"]) for part in runner.slices] == [["db1", "web2"], ["web1"]]
    assert runner.stats is not None
    assert runner.stats["failures"] == {"web1": 1}
    assert len(list(runner.events)) == len(events)
    with runner.slices[0].stdout as stdout:
        assert "PLAY RECAP" in stdout.read()
    with pytest.raises(MissingInput):
        _ = runner.stdout


@pytest.mark.slow
def test_a_handler_that_fails_stops_all(hosts: Project) -> None:
    """All slices are canceled, those that wait never start, and the caller gets the handler's own error."""

    def fail(_event: dict[str, Any]) -> bool:
        raise LookupError("no")

    hosts.playbook("- pause: {seconds: 60}")
    with pytest.raises(LookupError, match="no"):
        run(
            private_data_dir=hosts.path,
            playbook="test.yml",
            ident="job",
            slices=3,
            quiet=True,
            event_handler=fail,
        )
    assert not hosts.artifacts("job-slice-2").exists()
    assert (hosts.artifacts("job") / "status").read_text() == "canceled"
