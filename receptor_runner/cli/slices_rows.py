"""Sliced jobs in the list of jobs: one row for each sliced job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from receptor_runner.artifacts import sliced_job_ident
from receptor_runner.errors import MissingInput

_ENDED_WELL = "successful"


def merged_rows(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a list with those of each sliced job's slices as one row, in the place of its first slice.

    Args:
        rows: jobs as `job_view.describe_view` returns them.
    """
    merged: dict[tuple[str, str, bool], list[dict[str, Any]]] = {}
    for row in rows:
        sliced = _sliced_job_of(row)
        key = (row["private_data_dir"], sliced or row["ident"], sliced is not None)
        merged.setdefault(key, []).append(row)
    return [
        _merged(ident, parts) if is_sliced else parts[0]
        for (_directory, ident, is_sliced), parts in merged.items()
    ]


def _sliced_job_of(row: dict[str, Any]) -> str | None:
    from receptor_runner.slices.sliced_job import SlicedJob

    ident = sliced_job_ident(row["ident"])
    return ident if ident and SlicedJob(Path(row["private_data_dir"]), ident).exists() else None


def _merged(ident: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    rows = sorted(rows, key=lambda row: (len(row["ident"]), row["ident"]))  # 2 before 10
    nodes = sorted({row["node"] for row in rows})
    active = any(row["active"] for row in rows)
    waiting = _waiting(ident, rows)
    durations = [row["duration_s"] for row in rows if row["duration_s"] is not None]
    return {
        **max(rows, key=lambda row: row["age_s"]),
        "ident": ident,
        "node": nodes[0] if len(nodes) == 1 else f"{len(nodes)} nodes",
        "unit": None,
        "status": _status(rows, waiting, active=active),
        "active": active,
        "rc": None,
        "duration_s": max(durations, default=None),
        "hosts": _sum(rows, "hosts"),
        "hosts_failed": _sum(rows, "hosts_failed"),
        "waiting": waiting,
        "slices": rows,
    }


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
