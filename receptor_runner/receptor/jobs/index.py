"""Where this user's jobs are: one small file for each, in the user's state directory.

The record of a job stands with its artifacts, anywhere on disk. The index only leads there, so it may be incomplete:
whatever fails here never fails a job.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from receptor_runner.artifacts import make_directory, write_atomically
from receptor_runner.errors import MissingInput, UsageError
from receptor_runner.system.directories import state_directories

log = logging.getLogger("receptor_runner.index")

_NAME = "jobs"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class IndexedJob:
    """Where a job is.

    Attributes:
        private_data_dir: an absolute path; it may be gone.
        ident: the job's name below `artifacts/`.
    """

    private_data_dir: Path
    ident: str


def add(job: IndexedJob) -> None:
    """Note a job."""
    content = {"private_data_dir": str(job.private_data_dir), "ident": job.ident}
    for state in state_directories():
        try:
            make_directory(state / _NAME)
            write_atomically(state / _NAME / _file_name(job), json.dumps(content).encode(), durable=False)
        except OSError as error:
            log.debug("the job %s cannot be noted in %s: %s", job.ident, state, error)
        else:
            return


def remove(job: IndexedJob) -> None:
    """Forget a job."""
    for state in state_directories():
        with contextlib.suppress(OSError):
            (state / _NAME / _file_name(job)).unlink(missing_ok=True)


def indexed_jobs() -> list[IndexedJob]:
    """Return all jobs, by directory and ident; files that cannot be read are left out."""
    return sorted({job for state in state_directories() for job in _read_all(state / _NAME)})


def find(ident: str) -> Path:
    """Return the private data directory of a job.

    Raises:
        MissingInput: the index has no job of that ident.
        UsageError: it has several.
    """
    found = [job.private_data_dir for job in indexed_jobs() if job.ident == ident]
    if not found:
        raise MissingInput(
            f"no job `{ident}`", hint="receptor-runner jobs lists yours; DIR names one elsewhere"
        )
    if len(found) > 1:
        places = ", ".join(map(str, found))
        raise UsageError(f"several jobs are called `{ident}`", cause=f"in {places}", hint="name DIR as well")
    return found[0]


def _file_name(job: IndexedJob) -> str:
    place = f"{job.private_data_dir}\0{job.ident}"
    return hashlib.sha256(place.encode(errors="surrogateescape")).hexdigest()[:32] + ".json"


def _read_all(directory: Path) -> Iterator[IndexedJob]:
    for path in directory.glob("*.json"):
        try:
            entry = json.loads(path.read_bytes())
            yield IndexedJob(private_data_dir=Path(entry["private_data_dir"]), ident=str(entry["ident"]))
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.debug("%s cannot be read: %s", path, error)
