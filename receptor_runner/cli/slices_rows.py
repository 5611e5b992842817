"""Sliced jobs in the list of jobs: one row for each sliced job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from receptor_runner.artifacts import sliced_job_ident
from receptor_runner.errors import MissingInput

_ENDED_WELL = "successful"


def merged_rows(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a list with those of each sliced job's slices as one row, in the place of its first slice.

    Args:
        rows: jobs as `job_view.describe_view` returns them.
    """
    merged: dict[RowKey, list[dict[str, Any]]] = {}
    for row in rows:
        merged.setdefault(row_key(Path(row["private_data_dir"]), row["ident"]), []).append(row)
    return [_merged(key.ident, parts) if key.is_sliced else parts[0] for key, parts in merged.items()]


class RowKey(NamedTuple):
    """What makes one row: a job, or a sliced job with all of its slices."""

    private_data_dir: Path
    ident: str
    is_sliced: bool


def row_key(private_data_dir: Path, ident: str) -> RowKey:
    """Return the row to which a job belongs, as a slice or as the job itself."""
    from receptor_runner.slices.sliced_job import SlicedJob

    sliced = sliced_job_ident(ident)
    is_sliced = sliced is not None and SlicedJob(private_data_dir, sliced).exists()
    return RowKey(private_data_dir, sliced if sliced and is_sliced else ident, is_sliced)


def _merged(ident: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    rows = sorted(rows, key=lambda row: (len(row["ident"]), row["ident"]))  # 2 before 10
    nodes = sorted({row["node"] for row in rows})
    active = any(row["active"] for row in rows)
    waiting = _waiting(ident, rows)
    return {
        **max(rows, key=lambda row: row["age_s"]),
        "ident": ident,
        "node": nodes[0] if len(nodes) == 1 else f"{len(nodes)} nodes",
        "unit": None,
        "status": _status(rows, waiting, active=active),
        "active": active,
        "rc": None,
        "duration_s": _duration_s(rows),
        "hosts": _sum(rows, "hosts"),
        "hosts_failed": _sum(rows, "hosts_failed"),
        "waiting": waiting,
        "slices": rows,
    }


def _duration_s(rows: list[dict[str, Any]]) -> float | None:
    """Return how long it took from the start of the first slice to the end of the last one, as far as that is known."""
    ends = [row["age_s"] - row["duration_s"] for row in rows if row["duration_s"] is not None]
    return max(row["age_s"] for row in rows) - min(ends) if ends else None


def _waiting(ident: str, rows: list[dict[str, Any]]) -> int:
    """Return how many slices were not submitted."""
    from receptor_runner.slices.sliced_job import SlicedJob

    try:
        index = SlicedJob(Path(rows[0]["private_data_dir"]), ident).read()
    except MissingInput:
        return 0
    known = {row["ident"] for row in rows}
    return sum(entry.ident not in known and entry.end is None for entry in index.slices)


def _status(rows: list[dict[str, Any]], waiting: int, *, active: bool) -> str:
    """Return how a sliced job stands: while slices are open how many have ended, then the most frequent bad status."""
    counts = Counter(row["status"] for row in rows)
    total = len(rows) + waiting
    ended = sum(not row["active"] for row in rows)
    if active or waiting:
        return f"{ended}/{total} ended"
    bad = [str(status) for status, _count in counts.most_common() if status != _ENDED_WELL]
    return bad[0] if bad else _ENDED_WELL


def _sum(rows: list[dict[str, Any]], key: str) -> int | None:
    known = [row[key] for row in rows if row[key] is not None]
    return sum(known) if known else None
