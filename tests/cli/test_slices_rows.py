"""The list of jobs has one row for each sliced job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from receptor_runner.cli.slices_rows import merged_rows, row_key
from receptor_runner.slices.index import Index
from receptor_runner.slices.sliced_job import SlicedJob


def row(directory: Path, ident: str, **facts: Any) -> dict[str, Any]:
    """Return a job as `jobs --json` shows it."""
    usual = {"node": "a", "status": "successful", "active": False, "age_s": 5.0, "duration_s": 2.0, "rc": 0}
    hosts = {"hosts": 2, "hosts_failed": 0}
    return {"private_data_dir": str(directory), "ident": ident, **usual, **hosts, **facts}


def test_slices_are_one_row(tmp_path: Path) -> None:
    """Hosts add up, it took from the first start to the last end, nodes are counted; other jobs stay as they are."""
    sliced = SlicedJob(tmp_path, "job")
    sliced.write(Index.planned("job", "x", [("a",), ("b",), ("c",)], with_localhost=False))
    rows = [
        row(tmp_path, "before"),
        row(tmp_path, "job-slice-1"),
        row(tmp_path, "other-slice-1"),
        row(tmp_path, "job-slice-2", node="b", status="failed", hosts_failed=1, age_s=2.5, duration_s=1.5),
    ]
    before, merged, other = merged_rows(rows)
    assert (before, other) == (rows[0], rows[2])
    assert (merged["ident"], merged["node"], merged["hosts"], merged["hosts_failed"]) == (
        "job",
        "2 nodes",
        4,
        1,
    )
    assert (merged["duration_s"], merged["waiting"], merged["status"]) == (4.0, 1, "2/3 ended")
    assert [part["ident"] for part in merged["slices"]] == ["job-slice-1", "job-slice-2"]


def test_the_status_of_a_whole(tmp_path: Path) -> None:
    """All well is successful; else the most frequent bad status; while one is active, how many have ended."""
    sliced = SlicedJob(tmp_path, "job")
    sliced.write(Index.planned("job", "x", [("a",), ("b",)], with_localhost=False))

    def status(*facts: dict[str, Any]) -> str:
        rows = [row(tmp_path, f"job-slice-{number}", **one) for number, one in enumerate(facts, start=1)]
        return str(merged_rows(rows)[0]["status"])

    assert status({}, {}) == "successful"
    assert status({}, {"status": "lost"}) == "lost"
    assert status({}, {"status": "running", "active": True}) == "1/2 ended"


def test_a_slice_and_its_job_are_the_same_row(tmp_path: Path) -> None:
    """As far as there is such a sliced job: the ident of any other job may look like that of a slice."""
    SlicedJob(tmp_path, "job").write(Index.planned("job", "x", [("a",)], with_localhost=False))
    assert row_key(tmp_path, "job-slice-1") == row_key(tmp_path, "job-slice-2") == (tmp_path, "job", True)
    assert row_key(tmp_path, "other-slice-1") == (tmp_path, "other-slice-1", False)
