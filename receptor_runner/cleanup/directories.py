"""Removes private data directories that nobody uses any more."""

from __future__ import annotations

import contextlib
import glob
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

from receptor_runner.cleanup.containers import ContainerCleanup
from receptor_runner.cleanup.in_use import mount_below, user_of
from receptor_runner.cleanup.matching import Match, find
from receptor_runner.cleanup.options import Cleanup
from receptor_runner.cleanup.report import Fate, Found, Report
from receptor_runner.execution.isolation.podman import Podman
from receptor_runner.system.claims import unclaimed
from receptor_runner.system.directories import holds_embedded_node
from receptor_runner.system.files import remove_tree
from receptor_runner.system.processes import working_directories
from receptor_runner.system.protected import Protected

_RECLAIM_LIMIT_S = 60.0
_AUTH_PREFIX = "ansible_runner_registry_"
"""How ansible-runner names the directory with a job's registry credentials, its ident follows."""


class DirectoryCleanup:
    """Removes private data directories.

    Args:
        wanted: what to clean up.
        report: collects what happened.
        report_line: called with a line for each step.
    """

    def __init__(self, wanted: Cleanup, report: Report, report_line: Callable[[str], None]) -> None:
        self._wanted = wanted
        self._report = report
        self._report_line = report_line
        self._containers = ContainerCleanup(wanted, report, report_line)
        self._verb = "Would remove" if wanted.dry_run else "Removed"

    @cached_property
    def _working(self) -> dict[str, int]:
        return working_directories()

    def clean(self, pattern: str) -> None:
        """Remove what the pattern matches, after checking that none of it is protected."""
        matches, links = find(pattern)
        Protected().check({match.name: match.path for match in matches})
        for link in links:
            if not self._is_excluded(link):
                self._note(link, Fate.SKIPPED, "it is a symbolic link, or reached through one")
        for match in matches:
            self._judge(match)
        if count := self._report.removed:
            self._report_line(f"{self._verb} {count} private data dir(s) in pattern {pattern}")
        self._containers.remove_gone()

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
            return  # another clean-up removed it
        except OSError as error:
            self._note(match.name, Fate.FAILED, error.strerror or str(error))

    def _remove_unless_used(self, match: Match) -> None:
        if not match.is_ours:
            self._note(match.name, Fate.SKIPPED, "no worker created it, and the pattern has no literal name")
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
            self._report_line(f"Excluding running project {match.name} from cleanup")
            return
        self._containers.remove_of(match.path)  # first: what runs in them may still write there
        for directory in _registry_auth_of(match.path):
            self._remove_registry_auth(directory)
        self._remove(match.path)
        self._report_line(f"{self._verb} private data dir {match.name}")
        self._note(match.name, Fate.REMOVED)

    def _remove_registry_auth(self, directory: Path) -> None:
        try:
            self._remove(directory)
        except OSError as error:
            found = Found(name=str(directory), fate=Fate.FAILED, reason=error.strerror or str(error))
        else:
            found = Found(name=str(directory), fate=Fate.REMOVED)
            self._report_line(f"{self._verb} associated registry auth dir {directory}")
        self._report.registry_auth.append(found)

    def _remove(self, directory: Path) -> None:
        if self._wanted.dry_run:
            return
        remove_tree(directory)
        if os.path.lexists(directory):
            _reclaim(directory, self._wanted.engine)
            remove_tree(directory, check=True)


def _reclaim(directory: Path, engine: str) -> None:
    """Make files ours that a rootless container has left with its other users, if this engine can."""
    reclaim = Podman(executable=engine).reclaim if Path(engine).name == "podman" else ()
    if reclaim:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                [*reclaim, str(directory)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_RECLAIM_LIMIT_S,
                check=False,
            )


def _registry_auth_of(directory: Path) -> Iterator[Path]:
    """Yield the directories with the registry credentials of the jobs that ran in a private data directory."""
    artifacts = directory / "artifacts"
    if artifacts.is_symlink() or not artifacts.is_dir():
        return
    for ident in sorted(entry.name for entry in artifacts.iterdir()):
        for path in sorted(Path(tempfile.gettempdir()).glob(f"{_AUTH_PREFIX}{glob.escape(ident)}_*")):
            if path.is_dir() and not path.is_symlink():
                yield path
