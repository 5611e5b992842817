"""Starting a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.harness import Commands, Project


def test_artifacts_would_stay_on_the_node(commands: Commands, project: Project) -> None:
    """A whole job with a place for artifacts outside of its directory is refused before any node is asked."""
    words = ("run", project.path, "-p", "test.yml", "--artifact-dir", "/tmp/artifacts", "--socket", "/nope")
    done = commands.ours(*words)
    assert done.rc == 64
    assert "is outside of the private data directory" in done.stderr
    assert not (project.path / "artifacts").exists()
