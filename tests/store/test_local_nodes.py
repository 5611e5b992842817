"""To a node on the same machine everything is sent: that is faster than asking."""

from __future__ import annotations

import os
from pathlib import Path

from tests.harness import Commands, Project


def test_an_embedded_node_is_never_asked(commands: Commands, project: Project, tmp_path: Path) -> None:
    """Twice the same project, large enough for a question elsewhere: no question, nothing kept, nothing remembered."""
    commands.environment["XDG_STATE_HOME"] = str(tmp_path / "state")
    project.write("project/big", "").write_bytes(os.urandom(5 << 20))
    for ident in ("1", "2"):
        done = commands.ours("run", project.path, "-p", "test.yml", "-i", ident, "--debug")
        assert done.rc == 0, done.stderr
        assert "the worker has" not in done.stderr
        assert "the worker should have" not in done.stderr
    state = tmp_path / "state" / "receptor-runner"
    assert list((state / "store").glob("??/*")) == []
    assert not (state / "workers").exists()
