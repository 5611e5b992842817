"""How a command is wrapped, and the copy of a project that it may run in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from receptor_runner.errors import ConfigError
from receptor_runner.execution.command import Plan
from receptor_runner.execution.event_channel import DESCRIPTOR, VARIABLE
from receptor_runner.execution.isolation import check_isolation, copy_project, wrap
from receptor_runner.job import Job


def test_a_command_runs_as_it_is_and_knows_its_channel(tmp_path: Path) -> None:
    """The program is the plan's, in a terminal, and finds the channel by its number."""
    plan = Plan(command=("ansible", "x"), env={"A": "1"}, cwd=tmp_path)
    program = wrap(plan)
    assert (program.argv, program.cwd, program.terminal) == (("ansible", "x"), tmp_path, True)
    assert program.env == {"A": "1", VARIABLE: str(DESCRIPTOR)}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "by podman"),
        ({"process_isolation_executable": "/usr/bin/docker"}, "by /usr/bin/docker"),
        ({"process_isolation_executable": "chroot"}, "unknown process_isolation_executable `chroot`"),
    ],
)
def test_isolation_is_refused(options: dict[str, Any], says: str) -> None:
    """A job that wants isolation is refused, in words that name what it wants."""
    with pytest.raises(ConfigError, match=says):
        check_isolation(Job.from_kwargs({"process_isolation": True, **options}))


def test_without_isolation_its_options_do_not_matter() -> None:
    """Options of isolation alone ask for nothing."""
    check_isolation(Job.from_kwargs({"process_isolation_executable": "chroot", "container_image": "x"}))


@pytest.mark.parametrize("options", [{}, {"directory_isolation_base_path": "base", "module": "ping"}])
def test_most_jobs_run_in_their_own_project(tmp_path: Path, options: dict[str, Any]) -> None:
    """Without a base path, or for a module, nothing is copied."""
    assert copy_project(Job.from_kwargs(options), tmp_path) is None


def test_a_copy_is_a_fresh_directory_below_the_base(tmp_path: Path) -> None:
    """The copy holds the project with its links, and the base keeps what else is in it."""
    project, base = tmp_path / "project", tmp_path / "base"
    for directory in (project, base):
        directory.mkdir()
    (project / "site.yml").write_text("x")
    (project / "link").symlink_to("site.yml")
    (base / "precious").write_text("x")
    job = Job.from_kwargs({"directory_isolation_base_path": str(base)})
    copies = [copy_project(job, project) for _ in range(2)]
    assert all(copy is not None and copy.parent == base for copy in copies)
    assert len({*copies, base}) == 3
    for copy in copies:
        assert copy is not None
        assert (copy / "site.yml").read_text() == "x"
        assert (copy / "link").is_symlink()
    assert (base / "precious").exists()
