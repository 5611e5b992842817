"""A cancel that comes through a node stops all of a job there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from receptor_runner.receptor.control.protocol import Control
from tests.harness import Census, Commands, Project, ServedNode, wait_until
from tests.stopping.conftest import Bench


@pytest.mark.parametrize("way", ["cancel", pytest.param("release", marks=pytest.mark.slow)])
def test_stopping_through_a_node(
    bench: Bench, commands: Commands, project: Project, node: ServedNode, tmp_path: Path, way: str
) -> None:
    """After a cancel or a release, neither a task, a fork, a daemon nor the unit is left."""
    census = Census()
    project.write("env/envvars", json.dumps(census.variables))
    project.playbook(
        f"- command: {bench.stubborn(with_child=False)}\n  async: 300\n  poll: 0\n"
        f"- command: {bench.stubborn()}\n"
    )
    words = ["-p", "test.yml", "-i", "job", "--socket", str(node.socket)]
    client = commands.start("run" if way == "cancel" else "submit", project.path, *words)
    try:
        wait_until(lambda: bench.seen == 3, "all of the job's tasks run")
        done = commands.ours(way, project.path, "-i", "job")
        assert done.rc == 0, done.stderr
        census.check_empty()
        assert client.wait(40) == (254 if way == "cancel" else 0)
        if way == "cancel":
            assert (project.artifacts("job") / "status").read_text() == "canceled"
        wait_until(lambda: not Control(str(node.socket)).units(), "the unit is gone")
    finally:
        census.kill()
    assert not list(tmp_path.glob("tmp/receptor-runner-*"))
