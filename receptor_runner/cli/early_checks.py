"""Mistakes in the description of a job that can be told before anything is packed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from receptor_runner.cli import messages
from receptor_runner.errors import MissingInput, UsageError
from receptor_runner.system.files import reading

if TYPE_CHECKING:
    from receptor_runner.job import Job

_PLAYBOOK_SUFFIXES = (".yml", ".yaml")
_FILE_SUFFIXES = frozenset({".cfg", ".ini", ".json", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml"})
_COLLECTION_PLAYBOOK = re.compile(r"\w+\.\w+(\.\w+)+")


def check_ident(ident: str) -> None:
    """Refuse a path as ident, which is meant as an inventory: `-i` is the inventory for Ansible only.

    Raises:
        UsageError: it is a path of something that exists.
    """
    if "/" in ident and os.path.lexists(ident):
        raise UsageError(
            f"invalid ident `{ident}`", cause="it is the path of a file", hint=f"--inventory {ident}"
        )


def check_job(job: Job, private_data_dir: Path) -> None:
    """Check a job against the directory that is sent with it.

    An ident that is the name of a file is only warned about: ansible-runner takes it, too.

    Raises:
        MissingInput: the playbook is not in the directory, or part of that cannot be read.
    """
    with reading(private_data_dir):
        _check_ident(str(job.ident), private_data_dir)
        if private_data_dir.is_dir() and isinstance(job.playbook, str) and not job.binary:
            _check_playbook(job.playbook, job, private_data_dir)


def _check_ident(ident: str, private_data_dir: Path) -> None:
    if PurePath(ident).suffix in _FILE_SUFFIXES or (private_data_dir / "inventory" / ident).exists():
        messages.note(f"warning: `{ident}` is the job's ident; an inventory is named by --inventory {ident}")


def _check_playbook(playbook: str, job: Job, private_data_dir: Path) -> None:
    """Refuse a playbook that will not be found on the worker.

    What is not in the directory may be there all the same: a collection's playbook, an absolute path, a project
    directory of the worker.
    """
    from receptor_runner.job_files import project_directory, relative_to

    root = Path(os.path.abspath(private_data_dir))
    if _is_from_collection(playbook) or (job.project_dir and not relative_to(job.project_dir, root)):
        return
    project = root / project_directory(job, root)
    path = Path(os.path.normpath(project / playbook))
    if not path.is_relative_to(root) or _is_there(path):
        return
    raise MissingInput(
        f"playbook {playbook} does not exist in {_shown(private_data_dir, project, root)}",
        cause=f"no such file: {path}",
        hint=_nearest(playbook, project),
    )


def _is_there(path: Path) -> bool:
    """Return whether there is something; unlike `lexists`, do not take a closed directory for an empty one."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _is_from_collection(playbook: str) -> bool:
    """Return whether a playbook is named as `namespace.collection.name`, with or without a suffix."""
    stem = playbook.removesuffix(".yml").removesuffix(".yaml")
    return bool(_COLLECTION_PLAYBOOK.fullmatch(stem))


def _shown(private_data_dir: Path, project: Path, root: Path) -> str:
    return os.path.normpath(private_data_dir / project.relative_to(root))


def _nearest(playbook: str, project: Path) -> str | None:
    """Return a hint with the playbook that was probably meant."""
    import difflib

    given = Path(os.path.abspath(playbook))
    if given.is_file() and given.is_relative_to(project):  # typed as the shell completes it
        return f"did you mean `-p {given.relative_to(project)}`?"
    names = sorted(_playbooks(project))
    near = difflib.get_close_matches(playbook, names, n=1)
    if near:
        return f"did you mean `-p {near[0]}`?"
    return f"there are: {', '.join(names[:5])}" if names else None


def _playbooks(project: Path) -> Iterator[str]:
    """Yield the playbooks of a project: files of that kind in it and one level below."""
    for pattern in ("*", "*/*"):
        for path in project.glob(pattern):
            if path.suffix in _PLAYBOOK_SUFFIXES:
                yield str(path.relative_to(project))
