"""`receptor-runner nodes`: what the mesh advertises, and each worker's own word."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from receptor_runner.mesh.local import Daemon
from tests.harness import Commands
from tests.mesh.conftest import ROW, Mesh, Meshes, assert_no_units, let_nobody_in, start_meshes

pytestmark = [pytest.mark.receptor, pytest.mark.slow]


def ask(commands: Commands, daemon: Daemon, *words: str) -> dict[str, dict[str, Any]]:
    """Return the nodes that `nodes --json` lists, by name."""
    done = commands.ours("nodes", "--json", "--socket", daemon.socket, *words)
    assert done.rc == 0, done.stderr
    read = json.loads(done.stdout)
    assert read["schema"] == 1
    return {node["node"]: node for node in read["nodes"]}


@pytest.mark.parametrize(("kind", "tls", "is_signed"), [("plain", False, False), ("tls-signed", True, True)])
def test_what_is_advertised(
    meshes: Meshes, commands: Commands, kind: str, tls: bool, is_signed: bool
) -> None:
    """Each node with its route, its work types, and whether they want TLS and a signature."""
    found = ask(commands, meshes.get(kind).control)

    assert list(found) == ["control", "hop", "worker"]
    assert (found["control"]["local"], found["control"]["next_hop"]) == (True, None)
    assert (found["hop"]["next_hop"], found["worker"]["next_hop"]) == ("hop", "hop")
    worker = found["worker"]
    assert worker["work_types"] == [{"name": "receptor-runner", "signed": is_signed}]
    assert (worker["tls"], worker["reachable"], worker["local"]) == (tls, True, False)
    assert datetime.fromisoformat(worker["last_seen"]).tzinfo is not None
    assert "info" not in worker


def test_the_table(meshes: Meshes, commands: Commands) -> None:
    """A person reads the same as one line for each node."""
    mesh = meshes.get("tls-signed")

    header, *lines = commands.ours("nodes", "--socket", mesh.control.socket).text.splitlines()

    assert header.split("  ")[0] == "node"
    assert [line.split()[0] for line in lines] == ["control", "hop", "worker"]
    assert "local" in lines[0]
    assert "direct" in lines[1]
    assert all(word in lines[2] for word in ("via hop", "s ago", "yes", "receptor-runner (signed)"))


@pytest.mark.parametrize("kind", ["plain", "tls", "tls-signed"])
def test_info(meshes: Meshes, commands: Commands, kind: str) -> None:
    """The worker tells its machine and versions, signed and behind TLS where it wants that; no unit stays."""
    mesh = meshes.get(kind)

    found = ask(commands, mesh.control, "--info")

    info = found["worker"]["info"]
    assert {"cpu_count", "mem_in_bytes", "runner_version", "receptor_runner_version"} <= set(info)
    assert info["cpu_count"] >= 1
    assert (found["worker"]["error"], found["hop"]["info"], found["hop"]["error"]) == (None, None, None)
    assert_no_units(mesh)


@pytest.fixture
def walled(make_mesh: Callable[..., Mesh]) -> Mesh:
    """A mesh with two workers, of which one lets nobody in."""
    mesh = make_mesh(f"{ROW}  walled: {{role: worker, peers: [hop]}}\n")
    let_nobody_in(mesh.daemon("walled"))
    start_meshes(mesh)
    return mesh


def test_a_worker_that_does_not_answer(walled: Mesh, commands: Commands) -> None:
    """It is said so, in bounded time, and the others' words are there."""
    found = ask(commands, walled.control, "--info", "--timeout", "4")

    assert found["worker"]["info"]["cpu_count"] >= 1
    assert found["walled"]["info"] is None
    assert "Work unit expired" in found["walled"]["error"]
    assert_no_units(walled)

    shown = commands.ours("nodes", "--info", "--timeout", "1", "--socket", walled.control.socket)
    assert shown.rc == 0
    assert "warning: node walled: " in shown.stderr
    assert "no answer" in next(line for line in shown.text.splitlines() if line.startswith("walled"))


def test_no_node(commands: Commands, tmp_path: Path) -> None:
    """A socket that does not answer is an error, as everywhere."""
    done = commands.ours("nodes", "--socket", tmp_path / "none.sock", "--retry-deadline", "0")

    assert (done.rc, done.text) == (69, "")
