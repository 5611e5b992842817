"""Where to resume following a job after a crash."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from receptor_runner.artifacts import SPOOL_NAME
from receptor_runner.stream.position import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where to resume a job that was not followed to its end.

    Attributes:
        position: the place in the stream.
        counter: the last event's counter.
        stdout_size: bytes of the artifact `stdout` written so far, or None once the worker's own has come.
        has_artifacts: whether the worker's archive has come.
        status: the latest status.
        explanation: what came with it.
        damaged: how many messages were damaged so far.
        keepalives: how many keepalives came so far.
    """

    position: Position = field(default_factory=Position)
    counter: int = 0
    stdout_size: int | None = 0
    has_artifacts: bool = False
    status: str | None = None
    explanation: str | None = None
    damaged: int = 0
    keepalives: int = 0

    def is_usable(self, artifact_dir: Path) -> bool:
        """Return whether the files in the artifacts directory reach as far as this checkpoint."""
        wanted = {"stdout": self.stdout_size or 0, SPOOL_NAME: self.position.archive_received}
        return all(_size(artifact_dir / name) >= size for name, size in wanted.items())


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0
