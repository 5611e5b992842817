"""What a clean-up did: each directory that was found, and the failures."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from receptor_runner.errors import OutputFailed, RunnerError


class Fate(StrEnum):
    """What happened to a directory."""

    REMOVED = "removed"
    RUNNING = "running"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A directory that was found.

    Attributes:
        name: its path.
        fate: what happened to it, or would in a dry run.
        reason: why it was not removed.
    """

    name: str
    fate: Fate
    reason: str = ""


@dataclass(slots=True, kw_only=True)
class Report:
    """What a clean-up did.

    Attributes:
        dry_run: nothing was removed.
        directories: the private data directories that were found.
        registry_auth: the directories with registry credentials of jobs that ran in those.
        containers: the names of the containers of dead jobs that were removed.
        images: how many image names were removed.
        pruned: images without a name were removed.
        store_bytes: how much was removed from the store.
        engine_failures: errors of the container engine.
    """

    dry_run: bool = False
    directories: list[Found] = field(default_factory=list)
    registry_auth: list[Found] = field(default_factory=list)
    containers: list[str] = field(default_factory=list)
    images: int = 0
    pruned: bool = False
    store_bytes: int = 0
    engine_failures: list[RunnerError] = field(default_factory=list)

    def of(self, fate: Fate) -> list[Found]:
        """Return the directories of both kinds that had this fate."""
        return [found for found in (*self.directories, *self.registry_auth) if found.fate is fate]

    @property
    def removed(self) -> int:
        """How many private data directories were removed."""
        return sum(found.fate is Fate.REMOVED for found in self.directories)

    @property
    def changed(self) -> bool:
        """Whether anything was removed."""
        removed = self.removed or self.containers or self.images or self.pruned or self.store_bytes
        return not self.dry_run and bool(removed)

    def failure(self) -> RunnerError | None:
        """Return one error for all failures, or None."""
        failed = [f"{found.name}: {found.reason}" for found in self.of(Fate.FAILED)]
        engine = self.engine_failures
        if len(engine) == 1 and not failed:
            return engine[0]
        causes = [*failed, *map(str, engine)]
        return OutputFailed("some of it could not be cleaned up", cause="; ".join(causes)) if causes else None
