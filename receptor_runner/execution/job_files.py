"""Puts on the worker's disk what a job carries in its options but ansible reads from files."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from receptor_runner.artifacts import make_directory, write_atomically
from receptor_runner.job import Job


def place_materials(job: Job, private_data_dir: Path) -> Job:
    """Write a generated play, an inventory and extra variables below the private data dir.

    Returns:
        the job as it reads with these files in place: its playbook a path, its inventory a list of what `-i` takes.

    Source: ansible-runner's worker does the same with options that arrive beside the archive.
    """
    job = _with_role_as_play(job, private_data_dir)
    job = _with_playbook_file(job, private_data_dir)
    job = _with_extravars_file(job, private_data_dir)
    return dataclasses.replace(job, inventory=_inventory_sources(job.inventory, private_data_dir))


def _with_role_as_play(job: Job, private_data_dir: Path) -> Job:
    if not job.role:
        return job
    role: dict[str, Any] = {"name": job.role}
    if job.role_vars:
        role["vars"] = job.role_vars
    play: dict[str, Any] = {"hosts": job.hosts or "all", "roles": [role]}
    if job.role_skip_facts:
        play["gather_facts"] = False
    return dataclasses.replace(job, playbook=[play], roles_path=_roles_path(job.roles_path, private_data_dir))


def _roles_path(given: str | list[str] | None, private_data_dir: Path) -> str:
    named = [given] if isinstance(given, str) else given or []
    return ":".join([*named, str(private_data_dir / "roles")])


def _with_playbook_file(job: Job, private_data_dir: Path) -> Job:
    if not isinstance(job.playbook, dict | list):
        return job
    plays = [job.playbook] if isinstance(job.playbook, dict) else job.playbook
    path = private_data_dir / "project" / "main.json"
    _write_json(path, plays)
    return dataclasses.replace(job, playbook=str(path))


def _with_extravars_file(job: Job, private_data_dir: Path) -> Job:
    path = private_data_dir / "env" / "extravars"
    wanted = isinstance(job.extravars, Mapping) and job.extravars and not job.suppress_env_files
    if not wanted or path.exists():
        return job
    _write_json(path, job.extravars)
    return dataclasses.replace(job, extravars=None)


def _write_json(path: Path, content: Any) -> None:
    make_directory(path.parent)
    write_atomically(path, json.dumps(content).encode())


def _inventory_sources(
    inventory: str | list[str] | dict[str, Any] | None, private_data_dir: Path
) -> list[str]:
    if inventory is None:
        shipped = private_data_dir / "inventory"
        return [str(shipped)] if shipped.exists() else []
    if isinstance(inventory, dict):
        path = private_data_dir / "inventory" / "hosts.json"
        _write_json(path, inventory)
        return [str(path)]
    if isinstance(inventory, str):
        return [_source(inventory, private_data_dir, may_be_text=True)]
    return [_source(item, private_data_dir, may_be_text=False) for item in inventory]


def _source(item: str, private_data_dir: Path, *, may_be_text: bool) -> str:
    """Return what `-i` takes: an existing path, else a host list or a path as it was given, else written text."""
    for base in (private_data_dir, private_data_dir / "inventory"):
        if _exists(base / item):
            return str(base / item)
    is_text = "\n" in item or not ("," in item or item.startswith("/"))
    if not (may_be_text and is_text):
        return item
    path = private_data_dir / "inventory" / "hosts"
    make_directory(path.parent)
    write_atomically(path, item.encode())
    return str(path)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # text, far too long or strange for a name
        return False
