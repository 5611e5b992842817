"""Mistakes that are told before anything is packed, and what is not taken for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from receptor_runner.cli.early_checks import check_job
from receptor_runner.errors import MissingInput
from receptor_runner.job import Job

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import CommandLine, Project


def write(path: Path) -> None:
    """Write an empty file and the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def job(playbook: str, **options: str) -> Job:
    """Return a job with an ident."""
    return Job.from_kwargs({"playbook": playbook, "ident": "1", **options})


@pytest.mark.parametrize(
    ("playbook", "options"),
    [
        ("site.yml", {}),
        ("plays/db.yml", {}),
        ("../other/site.yml", {}),
        ("../../elsewhere.yml", {}),
        ("/on/the/worker.yml", {}),
        ("community.general.setup", {}),
        ("community.general.setup.yml", {}),
        ("site.yml", {"project_dir": "other"}),
        ("gone.yml", {"project_dir": "/on/the/worker"}),
        ("gone.yml", {"binary": "/usr/bin/env"}),
    ],
)
def test_what_may_exist_on_the_worker_is_not_refused(
    tmp_path: Path, playbook: str, options: dict[str, str]
) -> None:
    """Playbooks in DIR are found; those of collections, worker's paths and other programs may be there."""
    for name in ("project/site.yml", "project/plays/db.yml", "other/site.yml"):
        write(tmp_path / name)
    check_job(job(playbook, **options), tmp_path)


@pytest.mark.parametrize(
    ("playbook", "hint"),
    [
        ("site.yaml", "did you mean `-p site.yml`?"),
        ("plays/dv.yml", "did you mean `-p plays/db.yml`?"),
        ("project/site.yml", "did you mean `-p site.yml`?"),
        ("xyzzy", "there are: plays/db.yml, site.yml"),
        ("DIR/project/plays/db.yml", "did you mean `-p plays/db.yml`?"),
    ],
)
def test_a_playbook_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, playbook: str, hint: str
) -> None:
    """The nearest name is suggested, also for a path as the shell completes it."""
    monkeypatch.chdir(tmp_path)
    for name in ("project/site.yml", "project/plays/db.yml"):
        write(tmp_path / "DIR" / name)
    with pytest.raises(MissingInput, match="does not exist in") as failure:
        check_job(job(playbook), tmp_path / "DIR")
    assert failure.value.hint == hint


def test_a_repository_without_project_is_its_own(tmp_path: Path) -> None:
    """Where there is no `project/`, the playbook is in DIR itself."""
    write(tmp_path / "site.yml")
    check_job(job("site.yml"), tmp_path)
    with pytest.raises(MissingInput):
        check_job(job("sites.yml"), tmp_path)


def submit(command_line: CommandLine, project: Project, *words: str) -> tuple[int, str]:
    """Submit to a node that is not there; return exit code and stderr."""
    done = command_line.ours(
        "submit", project.path, *words, "--socket", "nowhere.sock", "--retry-deadline", "0"
    )
    return done.rc, done.stderr


@pytest.mark.parametrize("ident", ["inventory.ini", "hosts"])
def test_a_file_name_as_ident_is_warned_about(
    command_line: CommandLine, project: Project, ident: str
) -> None:
    """`-i` is the inventory for Ansible, and the ident here and for ansible-runner."""
    write(project.path / "inventory/hosts")
    _code, said = submit(command_line, project, "-p", "test.yml", "-i", ident)
    assert f"warning: `{ident}` is the job's ident; an inventory is named by --inventory {ident}\n" in said
    assert "warning" not in submit(command_line, project, "-p", "test.yml", "-i", "42")[1]


def test_a_path_as_ident_is_refused(command_line: CommandLine, project: Project) -> None:
    """It could be no ident anyway; the hint says which option was meant."""
    code, said = submit(command_line, project, "-p", "test.yml", "-i", str(project.path / "inventory"))
    assert code == 64
    assert f"hint: --inventory {project.path}/inventory\n" in said


def test_a_module_needs_hosts(command_line: CommandLine, project: Project) -> None:
    """Ansible would say so only on the worker. More words may name the hosts."""
    code, said = submit(command_line, project, "-m", "ping")
    assert (code, "hint: receptor-runner submit DIR -m ping --hosts all\n" in said) == (64, True)
    assert submit(command_line, project, "-m", "ping", "--cmdline", "all")[0] == 69
