"""Cleaning up the machine of another node, through a mesh."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.harness import Commands
from tests.mesh.conftest import Meshes, assert_no_units

pytestmark = [pytest.mark.receptor, pytest.mark.slow]


@pytest.mark.parametrize("kind", ["plain", "tls-signed"])
def test_another_node_is_cleaned_up(commands: Commands, meshes: Meshes, kind: str, tmp_path: Path) -> None:
    """The worker's lines and its exit code come home from over there, and no unit is left on any node."""
    mesh = meshes.get(kind)
    for name in ("awx_1_a", "awx_2_b"):
        (tmp_path / name).mkdir()
    words = ["--node", "worker", "--socket", str(mesh.control.socket), "--grace-period=0"]
    done = commands.ours(
        "cleanup", *words, f"--file-pattern={tmp_path}/awx_*", "--exclude-strings", "2_b", "xyzzy"
    )
    assert (done.rc, done.stderr) == (0, "")
    assert done.text.splitlines() == [
        f"Removed private data dir {tmp_path}/awx_1_a",
        f"Removed 1 private data dir(s) in pattern {tmp_path}/awx_*",
        "(changed: True)",
    ]

    done = commands.ours("cleanup", *words, f"--file-pattern={tmp_path}/awx_*", "--dry-run", "--json")
    assert json.loads(done.text)["removed"] == [f"{tmp_path}/awx_2_b"]

    refused = commands.ours("cleanup", *words, "--file-pattern=/root")
    assert refused.rc == 64
    assert "Refusing to continue for user system safety." in refused.text
    assert_no_units(mesh)
