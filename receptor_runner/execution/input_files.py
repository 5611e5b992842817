"""Writes the options of a job that Ansible reads from files to the worker's private data dir."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from receptor_runner.artifacts import make_directory, write_atomically
from receptor_runner.job import Job
from receptor_runner.job_files import (
    InventorySource,
    JobFile,
    inventory_files,
    inventory_sources,
    playbook_file,
    role_as_play,
)


def write_input_files(job: Job, private_data_dir: Path) -> Job:
    """Write a generated playbook, inventories and extra variables below the private data dir.

    Args:
        job: a job as it arrived; directories in it are absolute.
        private_data_dir: an absolute path.

    Returns:
        The job that reads them: its playbook a path, its inventory a list of what `-i` takes.

    Source: ansible-runner's worker does the same with options that arrive beside the archive.
    """
    job = role_as_play(job, str(private_data_dir / "roles"))
    job = _with_playbook_file(job, private_data_dir)
    job = _with_extravars_file(job, private_data_dir)
    return dataclasses.replace(job, inventory=_inventory(job, private_data_dir))


def _with_playbook_file(job: Job, private_data_dir: Path) -> Job:
    if file := playbook_file(job, private_data_dir):
        return dataclasses.replace(job, playbook=_write(file, private_data_dir))
    if job.project_dir and isinstance(job.playbook, str):
        # transmit cannot write to a project outside of the private data dir: its generated playbook is in project/
        shipped = private_data_dir / "project" / job.playbook
        if not Path(job.project_dir, job.playbook).exists() and shipped.exists():
            return dataclasses.replace(job, playbook=str(shipped))
    return job


def _with_extravars_file(job: Job, private_data_dir: Path) -> Job:
    """Keep extra variables off the command line, which every user of the machine can read."""
    file = JobFile(name="env/extravars", content=json.dumps(job.extravars))
    wanted = isinstance(job.extravars, Mapping) and job.extravars and not job.suppress_env_files
    if not wanted or (private_data_dir / file.name).exists():
        return job
    _write(file, private_data_dir)
    return dataclasses.replace(job, extravars=None)


def _inventory(job: Job, private_data_dir: Path) -> list[str]:
    if job.inventory is None:
        shipped = private_data_dir / "inventory"
        return [str(shipped)] if shipped.exists() else []
    sources = inventory_sources(job.inventory, private_data_dir)
    files = inventory_files(sources)
    return [_option(source, file, private_data_dir) for source, file in zip(sources, files, strict=True)]


def _option(source: InventorySource, file: JobFile | None, private_data_dir: Path) -> str:
    """Return what `-i` takes; a path that does not exist is left for Ansible to report."""
    if source.path:
        return str(private_data_dir / source.path)
    return _write(file, private_data_dir) if file and not source.is_host_list else source.given


def _write(file: JobFile, private_data_dir: Path) -> str:
    path = private_data_dir / file.name
    make_directory(path.parent)
    write_atomically(path, file.content.encode("utf-8", "surrogateescape"))
    return str(path)
