"""Old artifacts go, one's own never."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from receptor_runner.rotation import rotate_artifacts


def make_artifacts(base: Path, *names: str) -> None:
    """Make artifact directories, each a day younger than the one before."""
    for age, name in enumerate(reversed(names), 1):
        (base / name / "job_events").mkdir(parents=True)
        if f"{name}-slice-1" in names:
            (base / name / "slices.json").touch()
        os.utime(base / name, (1e9 - age * 86400,) * 2)


def left(base: Path) -> set[str]:
    """Return what is there."""
    return {entry.name for entry in base.iterdir()}


@pytest.mark.parametrize(
    ("keep", "expected"), [(0, {"1", "2", "3", "4"}), (1, {"2"}), (2, {"2", "4"}), (9, {"1", "2", "3", "4"})]
)
def test_the_newest_are_kept_and_ones_own(tmp_path: Path, keep: int, expected: set[str]) -> None:
    """As many are left as wanted, the newest, and one's own counts however old it is."""
    make_artifacts(tmp_path, "1", "2", "3", "4")
    rotate_artifacts(tmp_path / "2", keep)
    assert left(tmp_path) == expected


def test_what_may_not_be_removed_stays(tmp_path: Path) -> None:
    """The caller can hold back directories, such as those of jobs that are still running."""
    make_artifacts(tmp_path, "1", "2", "3", "4")
    rotate_artifacts(tmp_path / "4", 1, lambda name: name != "2")
    assert left(tmp_path) == {"2", "4"}


def test_files_and_links_are_none_of_its_business(tmp_path: Path) -> None:
    """Plain files, links and what links lead to stay."""
    make_artifacts(tmp_path / "elsewhere", "1")
    base = tmp_path / "artifacts"
    make_artifacts(base, "1", "2")
    (base / "file").write_text("x")
    (base / "link").symlink_to(tmp_path / "elsewhere")
    rotate_artifacts(base / "2", 1)
    assert left(base) == {"2", "file", "link"}
    assert left(tmp_path / "elsewhere") == {"1"}


def test_a_job_in_slices_counts_once(tmp_path: Path) -> None:
    """The directories of a sliced job are kept or removed together; a name alone makes no slice."""
    make_artifacts(tmp_path, "old-slice-1", "old-slice-2", "old", "x-slice-1", "new-slice-1", "new", "last")
    rotate_artifacts(tmp_path / "last", 3)
    assert left(tmp_path) == {"last", "new", "new-slice-1", "x-slice-1"}
    rotate_artifacts(tmp_path / "new", 1, lambda name: name != "x-slice-1")
    assert left(tmp_path) == {"new", "new-slice-1", "x-slice-1"}


def test_a_slice_that_may_not_be_removed_keeps_its_whole(tmp_path: Path) -> None:
    """A sliced job goes completely or not at all."""
    make_artifacts(tmp_path, "old-slice-1", "old-slice-2", "old", "last")
    rotate_artifacts(tmp_path / "last", 1, lambda name: name != "old-slice-2")
    assert left(tmp_path) == {"last", "old", "old-slice-1", "old-slice-2"}
