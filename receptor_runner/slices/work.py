"""What runs in slices, made from a private data directory."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from receptor_runner.archive.pack import MemoryFile
from receptor_runner.errors import UsageError
from receptor_runner.handlers import ignore
from receptor_runner.job import Job
from receptor_runner.job_files import project_directory, relative_to
from receptor_runner.slices.hosts import Question, list_hosts, question_of, read_inventory
from receptor_runner.slices.inventory import dynamic_sources, static_inventory
from receptor_runner.slices.job import SlicedWork
from receptor_runner.slices.slicing import names_localhost
from receptor_runner.transmit import Shipment, prepare


def work_of(
    job: Job,
    private_data_dir: Path,
    *,
    include_artifacts: bool = False,
    note: Callable[[str], None] = ignore,
) -> SlicedWork:
    """Return the work of a job with a private data directory.

    A dynamic inventory is read here and once: what it answers travels as data, so that all nodes see the same hosts.

    Args:
        job: the job.
        private_data_dir: the directory that is sent.
        include_artifacts: send the artifacts of earlier jobs too.
        note: takes a line for the person who waits.

    Raises:
        MissingInput: the inventory cannot be read.
        UsageError: such a job cannot run in slices.
    """
    root = Path(os.path.abspath(private_data_dir))
    with question_of(job, root, note) as question:
        limit = question.limit
        job = _with_static_inventory(job, question)

    def find_hosts() -> Collection[str]:
        with question_of(job, root, note) as question:
            return list_hosts(question)

    def pack(files: Mapping[str, MemoryFile], idents: Collection[str], level: int | None) -> Shipment:
        return prepare(
            job, root, include_artifacts=include_artifacts, idents=idents, extra=files, level=level
        )

    return SlicedWork(
        title=job.title,
        directory=_directory(job, root),
        find_hosts=find_hosts,
        with_localhost=not (job.host_pattern or job.hosts) and names_localhost(limit),
        pack=pack,
        keep_artifacts=job.rotate_artifacts or 0,
    )


def _with_static_inventory(job: Job, question: Question) -> Job:
    dynamic = dynamic_sources(question.inventories)
    if not dynamic:
        return job
    return dataclasses.replace(job, inventory=static_inventory(read_inventory(question)))


def _directory(job: Job, root: Path) -> str:
    """Return the directory in which the worker runs Ansible."""
    if job.module:
        return "."
    if job.project_dir and not relative_to(job.project_dir, root):
        raise UsageError(
            "a project directory of the node cannot be used in slices",
            cause=f"{job.project_dir} is outside of the private data directory",
            hint="leave --project-dir out",
        )
    return project_directory(job, root)
