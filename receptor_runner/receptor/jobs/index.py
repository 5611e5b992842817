"""Where this user's jobs are: one small file for each, in the user's state directory.

The record of a job stands with its artifacts, anywhere on disk. The index only leads there, so it may be incomplete:
whatever fails here never fails a job.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from receptor_runner.artifacts import make_directory, write_atomically
from receptor_runner.system.directories import state_directories
from receptor_runner.system.files import read_regular

log = logging.getLogger("receptor_runner.index")

_NAME = "jobs"

MOST_JOBS = 5000
"""How many jobs are kept. A program that runs each job in a directory of its own, and never prunes, reaches that."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class JobPlace:
    """Where a job is.

    Attributes:
        private_data_dir: an absolute path; it may be gone.
        ident: the job's name below `artifacts/`.
    """

    private_data_dir: Path
    ident: str


def add(place: JobPlace) -> None:
    """Note a job."""
    content = {"private_data_dir": str(place.private_data_dir), "ident": place.ident}
    if (directory := _directory()) is None:
        return
    try:
        make_directory(directory)
        write_atomically(directory / _file_name(place), json.dumps(content).encode())
        _drop_oldest(directory)
    except OSError as error:
        log.debug("the job %s cannot be noted in %s: %s", place.ident, directory, error)


def _directory() -> Path | None:
    """Return the one directory that is read and written, None if no place can be written.

    Not the others too: with another HOME or XDG_STATE_HOME somebody wants a state apart from the usual one.
    """
    state = next(state_directories(), None)
    return state / _NAME if state else None


def _drop_oldest(directory: Path) -> None:
    names = os.listdir(directory)  # noqa: PTH208 - names alone: this runs at the start of every job
    if len(names) <= MOST_JOBS:
        return
    paths = sorted((directory / name for name in names), key=lambda path: path.stat().st_mtime)
    for path in paths[: len(paths) - MOST_JOBS]:
        path.unlink(missing_ok=True)


def remove(place: JobPlace) -> None:
    """Forget a job."""
    if directory := _directory():
        with contextlib.suppress(OSError):
            (directory / _file_name(place)).unlink(missing_ok=True)


def places() -> list[JobPlace]:
    """Return all jobs, by directory and ident; files that cannot be read are left out."""
    directory = _directory()
    return sorted(set(_read_all(directory))) if directory else []


def _file_name(place: JobPlace) -> str:
    name = f"{place.private_data_dir}\0{place.ident}"
    return hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:32] + ".json"


def _read_all(directory: Path) -> Iterator[JobPlace]:
    for path in directory.glob("*.json"):
        try:
            entry = json.loads(read_regular(path) or b"")
            yield JobPlace(private_data_dir=Path(entry["private_data_dir"]), ident=str(entry["ident"]))
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.debug("%s cannot be read: %s", path, error)
