"""What the tests of isolation share: jobs in the test image, and a census of what they leave."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.execution.conftest import Ran, Workplace
from tests.harness.containers import IMAGE, PodmanStore, podman_store, session_store

__all__ = ["podman_store", "session_store"]


@dataclass
class ContainerWorkplace:
    """A private data directory whose jobs run in podman."""

    place: Workplace
    store: PodmanStore
    temporary: Path

    def begin(self, **options: Any) -> Ran:
        """Start a run in a container of the test image."""
        isolation = {"process_isolation": True, "container_image": IMAGE}
        return self.place.begin(**{**isolation, **options})

    def run(self, **options: Any) -> Ran:
        """Run to the end."""
        ran = self.begin(**options)
        assert ran.outcome
        return ran

    def play(self, tasks: str, **options: Any) -> Ran:
        """Run a playbook of these tasks to the end."""
        return self.run(playbook=self.place.playbook(tasks), **options)

    def left(self) -> list[Path]:
        """Return what is in the temporary directory: nothing, once no job runs."""
        return list(self.temporary.iterdir())


@pytest.fixture
def temporary(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary directory that shows what is left in it."""
    directory = short_dir / "tmp"
    directory.mkdir()
    monkeypatch.setenv("TMPDIR", str(directory))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return directory


@pytest.fixture
def in_podman(
    workplace: Workplace, podman_store: PodmanStore, temporary: Path
) -> Iterator[ContainerWorkplace]:
    """A workplace whose jobs run in podman; they leave no file outside of it, no process and no container."""
    made = ContainerWorkplace(workplace, podman_store, temporary)
    yield made
    workplace.close()
    assert made.left() == []
