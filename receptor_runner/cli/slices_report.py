"""How a sliced job is shown: as JSON for programs, and in lines for people."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from receptor_runner.cli import units
from receptor_runner.recap import read_stats

if TYPE_CHECKING:
    from receptor_runner.slices.index import Index, SliceEntry
    from receptor_runner.slices.merging import MergedRecap


_MOST_NODES = 5


def recap_of(index: Index, private_data_dir: Path) -> MergedRecap:
    """Return the recap of all slices, read from their artifacts."""
    from receptor_runner.slices.merging import merged_recap

    artifacts = private_data_dir / "artifacts"
    return merged_recap(read_stats(artifacts / entry.ident) for entry in index.slices)


def describe(index: Index, recap: MergedRecap, private_data_dir: Path) -> dict[str, Any]:
    """Return a sliced job as programs read it."""
    artifacts = private_data_dir.absolute() / "artifacts"
    described = index.to_json()
    return {
        **described,
        "private_data_dir": str(private_data_dir.absolute()),
        "active": index.end is None,
        "verdict": bool(index.end and index.end.is_verdict),
        "hosts": recap.hosts,
        "hosts_changed": recap.changed,
        "hosts_failed": recap.failed_hosts,
        "slices": [{**entry, "artifacts": str(artifacts / entry["ident"])} for entry in described["slices"]],
    }


def describe_plan(index: Index, numbers: tuple[int, ...]) -> str:
    """Return in one line what runs where: `job 42: 3 slices of 10 hosts on a, b`."""
    entries = [index.entry(number) for number in numbers]
    hosts = sum(len(entry.hosts) for entry in entries)
    places = list(dict.fromkeys(entry.place for entry in entries))
    where = ", ".join(places) if len(places) <= _MOST_NODES else f"{len(places)} nodes"
    part = f" of {len(index.slices)}" if len(entries) < len(index.slices) else ""
    slices = "1 slice" if len(entries) == 1 and not part else f"{len(entries)}{part} slices"
    return f"job {index.ident}: {slices}, {hosts} hosts, on {where}"


def describe_end(entry: SliceEntry) -> str:
    """Return in one line how a slice ended: `slice 2 on worker2: failed (rc 2), 5 hosts`."""
    rc = f" (rc {entry.rc})" if entry.rc else ""
    why = f": {entry.explanation}" if entry.explanation else ""
    return f"slice {entry.number} on {entry.place}: {entry.status}{rc}{why}; {_hosts(entry)}"


def _hosts(entry: SliceEntry) -> str:
    shown = ", ".join(entry.hosts[:3])
    more = f" and {len(entry.hosts) - 3} more" if len(entry.hosts) > 3 else ""
    return f"hosts: {shown}{more}"


def describe_job(index: Index, recap: MergedRecap, took: str) -> str:
    """Return in one line how a sliced job ended: `lost in 12 s: 3 slices, 2 successful, 1 lost; 10 hosts`."""
    statuses = Counter(entry.status for entry in index.slices)
    counts = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
    hosts = units.hosts(recap.hosts, recap.changed, len(recap.failed_hosts))
    return f"{index.status} in {took}: {len(index.slices)} slices, {counts}; {hosts}"


def rerun_hint(index: Index) -> str | None:
    """Return how the bad slices run again, or None if there are none."""
    bad = [entry.number for entry in index.slices if entry.exit_code != 0]
    if not bad or index.end is None:
        return None
    options = " ".join(f"--rerun-slice {number}" for number in bad)
    return f"the same command with --ident {index.ident} {options}"
