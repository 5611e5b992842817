"""`mesh status` against real daemons: what the control node knows of each node, beside the certificates."""

from __future__ import annotations

import json

import pytest
from tests.harness import Commands
from tests.mesh.conftest import SHARED, Meshes

pytestmark = pytest.mark.receptor


def test_every_node_is_in_reach(meshes: Meshes, commands: Commands) -> None:
    """Routes, advertisements and work types are those of the running mesh; the certificates are in its directory."""
    mesh = meshes.get("tls-signed")

    done = commands.ours("mesh", "status", mesh.directory, "--socket", mesh.control.socket, "--json")
    assert done.rc == 0, done.stderr
    nodes = {node["node"]: node for node in json.loads(done.text)["nodes"]}
    assert nodes["control"]["local"]
    assert (nodes["worker"]["reachable"], nodes["worker"]["next_hop"]) == (True, "hop")
    assert {"name": "receptor-runner", "signed": True} in nodes["worker"]["work_types"]
    assert nodes["worker"]["certificate"]["days_left"] > 300


@pytest.mark.slow
def test_node_out_of_reach(meshes: Meshes, commands: Commands) -> None:
    """A node that is described and not there is 69, and named; so is one that is there and not described."""
    mesh = meshes.get("plain")
    text = SHARED % {"tls": "false", "signed": "false"}
    (commands.cwd / "mesh.yml").write_text(text.replace("worker:", "elsewhere:"))

    done = commands.ours("mesh", "status", "--socket", mesh.control.socket)
    assert done.rc == 69
    assert "out of reach: elsewhere" in done.stderr
    assert "in the mesh, but not described: worker" in done.stderr
    assert done.text.splitlines()[-1].split()[:4] == ["elsewhere", "worker", "-", "none"]
