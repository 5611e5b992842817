"""Cleaning up a worker's machine: private data directories that were left behind, and container images."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, partial
from pathlib import Path

from receptor_runner.cleanup.claims import unclaimed
from receptor_runner.cleanup.images import Engine
from receptor_runner.cleanup.in_use import mount_below, user_of
from receptor_runner.cleanup.matching import Match, find
from receptor_runner.cleanup.protected import Protected
from receptor_runner.errors import MissingInput, OutputFailed, RunnerError
from receptor_runner.system.directories import holds_embedded_node
from receptor_runner.system.files import remove_tree
from receptor_runner.system.processes import working_directories

DEFAULT_GRACE_PERIOD_MIN = 60.0
DEFAULT_ENGINE = "podman"

_AUTH_PREFIX = "ansible_runner_registry_"
"""How ansible-runner names the directory with a job's registry credentials, its ident follows."""


class Fate(StrEnum):
    """What became of something that was found."""

    REMOVED = "removed"
    RUNNING = "running"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Something that was found, and what became of it.

    Attributes:
        name: a directory's path, or an image's name.
        fate: what became of it; in a dry run, what would.
        reason: why, unless it was removed.
    """

    name: str
    fate: Fate
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanup:
    """What is to be cleaned up.

    Attributes:
        file_pattern: a glob for private data directories; None leaves all of them alone.
        exclude_strings: a path that holds one of these is passed over.
        grace_period_min: so many minutes after its last change a directory is still passed over; 0 for none.
        remove_images: the images whose names are taken away.
        image_prune: whether images without a name are removed.
        engine: the container engine.
        dry_run: whether to look only.
    """

    file_pattern: str | None = None
    exclude_strings: tuple[str, ...] = ()
    grace_period_min: float = DEFAULT_GRACE_PERIOD_MIN
    remove_images: tuple[str, ...] = ()
    image_prune: bool = False
    engine: str = DEFAULT_ENGINE
    dry_run: bool = False


@dataclass(slots=True, kw_only=True)
class Report:
    """What a clean-up has done.

    Attributes:
        dry_run: whether it only looked.
        directories: the private data directories that were found.
        registry_auth: the directories with registry credentials that belong to those.
        images: how many names of images are gone.
        pruned: whether images without a name were removed.
        engine_failures: what the container engine could not do.
    """

    dry_run: bool = False
    directories: list[Found] = field(default_factory=list)
    registry_auth: list[Found] = field(default_factory=list)
    images: int = 0
    pruned: bool = False
    engine_failures: list[RunnerError] = field(default_factory=list)

    def of(self, fate: Fate) -> list[Found]:
        """Return what had this fate, directories of both kinds."""
        return [found for found in (*self.directories, *self.registry_auth) if found.fate is fate]

    @property
    def removed(self) -> int:
        """How many private data directories are gone."""
        return sum(found.fate is Fate.REMOVED for found in self.directories)

    @property
    def changed(self) -> bool:
        """Whether anything is gone."""
        return not self.dry_run and bool(self.removed or self.images or self.pruned)

    def failure(self) -> RunnerError | None:
        """Return one error for all that failed, or None."""
        failed = [f"{found.name}: {found.reason}" for found in self.of(Fate.FAILED)]
        engine = self.engine_failures
        if len(engine) == 1 and not failed:
            return engine[0]
        causes = [*failed, *map(str, engine)]
        return OutputFailed("not all could be cleaned up", cause="; ".join(causes)) if causes else None


def clean_up(wanted: Cleanup, tell: Callable[[str], None] = lambda _line: None) -> Report:
    """Remove what is left over on this machine; one failure does not stop the rest.

    Args:
        wanted: what is to be cleaned up.
        tell: takes a line for each thing done, in the words of ansible-runner's `worker cleanup`.

    Raises:
        UsageError: the pattern matches a protected directory; nothing is removed then.
    """
    report = Report(dry_run=wanted.dry_run)
    if wanted.file_pattern:
        _Directories(wanted, report, tell).clean(wanted.file_pattern)
    if wanted.remove_images or wanted.image_prune:
        _Images(wanted, report, tell).clean()
    return report


class _Directories:
    """One clean-up of directories."""

    def __init__(self, wanted: Cleanup, report: Report, tell: Callable[[str], None]) -> None:
        self._wanted = wanted
        self._report = report
        self._tell = tell
        self._verb = "Would remove" if wanted.dry_run else "Removed"

    @cached_property
    def _working(self) -> dict[str, int]:
        return working_directories()

    def clean(self, pattern: str) -> None:
        """Remove what the pattern matches, after all of it is known to be harmless."""
        matches, links = find(pattern)
        Protected().check({match.name: match.path for match in matches})
        for link in links:
            if not self._is_excluded(link):
                self._note(link, Fate.SKIPPED, "it is a symbolic link, or behind one")
        for match in matches:
            self._judge(match)
        if count := self._report.removed:
            self._tell(f"{self._verb} {count} private data dir(s) in pattern {pattern}")

    def _note(self, name: str, fate: Fate, reason: str = "") -> None:
        self._report.directories.append(Found(name=name, fate=fate, reason=reason))

    def _is_excluded(self, name: str) -> bool:
        return any(word in name for word in self._wanted.exclude_strings)

    def _is_young(self, path: Path) -> bool:
        grace_s = self._wanted.grace_period_min * 60
        return bool(grace_s) and path.lstat().st_mtime > time.time() - grace_s

    def _judge(self, match: Match) -> None:
        """Remove one directory, or note why not."""
        if self._is_excluded(match.name):
            return
        try:
            if not self._is_young(match.path):
                self._remove_unless_used(match)
        except FileNotFoundError:
            return  # somebody else was faster
        except OSError as error:
            self._note(match.name, Fate.FAILED, error.strerror or str(error))

    def _remove_unless_used(self, match: Match) -> None:
        if not match.is_ours:
            self._note(match.name, Fate.SKIPPED, "no worker made it, and the pattern does not name it")
        elif holds_embedded_node(match.path):
            self._note(match.name, Fate.SKIPPED, "an embedded node keeps the units of a job there")
        elif mount := mount_below(match.path):
            self._note(match.name, Fate.SKIPPED, f"a filesystem is mounted at {mount}")
        else:
            with unclaimed(match.path) as free:
                user = user_of(match.path, self._working) if free else "a worker"
                self._settle(match, user)

    def _settle(self, match: Match, user: str | None) -> None:
        if user:
            self._note(match.name, Fate.RUNNING, f"in use by {user}")
            self._tell(f"Excluding running project {match.name} from cleanup")
            return
        for directory in _registry_auth_of(match.path):
            self._remove_registry_auth(directory)
        self._remove(match.path)
        if self._wanted.dry_run:
            self._tell(f"Would remove private data dir {match.name}")
        self._note(match.name, Fate.REMOVED)

    def _remove_registry_auth(self, directory: Path) -> None:
        try:
            self._remove(directory)
        except OSError as error:
            found = Found(name=str(directory), fate=Fate.FAILED, reason=error.strerror or str(error))
        else:
            found = Found(name=str(directory), fate=Fate.REMOVED)
            self._tell(f"{self._verb} associated registry auth dir {directory}")
        self._report.registry_auth.append(found)

    def _remove(self, directory: Path) -> None:
        if self._wanted.dry_run:
            return
        remove_tree(directory)
        if os.path.lexists(directory):
            shutil.rmtree(directory)  # the second attempt says what is in the way


def _registry_auth_of(directory: Path) -> Iterator[Path]:
    """Yield the directories with the registry credentials of the jobs that ran in a private data directory."""
    artifacts = directory / "artifacts"
    if artifacts.is_symlink() or not artifacts.is_dir():
        return
    for ident in sorted(entry.name for entry in artifacts.iterdir()):
        for path in sorted(Path(tempfile.gettempdir()).glob(f"{_AUTH_PREFIX}{glob.escape(ident)}_*")):
            if path.is_dir() and not path.is_symlink():
                yield path


class _Images:
    """One clean-up of images."""

    def __init__(self, wanted: Cleanup, report: Report, tell: Callable[[str], None]) -> None:
        self._wanted = wanted
        self._report = report
        self._tell = tell
        self._engine = Engine(executable=wanted.engine)

    def clean(self) -> None:
        """Take names away, then prune; what fails is noted."""
        try:
            for image in self._wanted.remove_images:
                self._attempt(partial(self._remove, image))
            self._tell_removed()
            if self._wanted.image_prune:
                self._attempt(self._prune)
        except MissingInput as error:
            self._report.engine_failures.append(error)

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except MissingInput:
            raise
        except RunnerError as error:
            self._report.engine_failures.append(error)

    def _remove(self, image: str) -> None:
        for name in self._engine.names(image):
            if self._wanted.dry_run:
                self._report.images += 1
            else:
                self._attempt(partial(self._untag, name))

    def _untag(self, name: str) -> None:
        self._report.images += self._engine.untag(name)

    def _tell_removed(self) -> None:
        if self._report.images:
            verb = "Would remove" if self._wanted.dry_run else "Removed"
            self._tell(f"{verb} {self._report.images} image(s)")

    def _prune(self) -> None:
        if self._wanted.dry_run:
            if count := self._engine.nameless():
                self._tell(f"Would prune {count} image(s)")
            return
        self._report.pruned = self._engine.prune()
        if self._report.pruned:
            self._tell("Pruned images")
