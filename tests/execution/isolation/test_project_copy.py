"""The copy of a project that a job may run in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from receptor_runner.execution.isolation.project_copy import copy_project
from receptor_runner.job import Job


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
