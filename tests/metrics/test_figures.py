"""Figures are counted from records and artifacts, and the text is valid in both formats of Prometheus."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics
from receptor_runner.metrics.exposition import expose
from receptor_runner.metrics.snapshot import Snapshot, take_snapshot
from receptor_runner.outcome import Outcome, Status
from receptor_runner.receptor.jobs.record import Record, RecordFile, Stage, read_all
from receptor_runner.receptor_config.certificate_ends import CertificateEnd
from receptor_runner.results.checkpoint import Checkpoint
from receptor_runner.stream.position import Position

NOW = datetime(2026, 3, 1, tzinfo=UTC)
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(
    text: str, parse: Callable[[str], object] = openmetrics.text_string_to_metric_families
) -> Samples:
    """Return the samples of a text by name and labels, as a parser of prometheus_client reads them."""
    families = parse(text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): float(sample.value)
        for family in families  # type: ignore[attr-defined]  # their parsers have no types
        for sample in family.samples
    }


def write_job(directory: Path, ident: str, node: str, seconds: float | None, **changes: object) -> None:
    """Write a record, and the first and last event of a job that took so long."""
    fields = {"digest": "d", "socket": "/s", "node_directory": None, "work_type": "t", "unit_id": f"u{ident}"}
    file = RecordFile(directory, ident)
    file.write(Record(ident=ident, node=node, **fields | changes))  # type: ignore[arg-type]
    if seconds is not None:
        (file.artifact_dir / "job_events").mkdir()
        for counter, moment in ((1, NOW), (2, NOW + timedelta(seconds=seconds))):
            event = {"counter": counter, "created": moment.isoformat()}
            (file.artifact_dir / "job_events" / f"{counter}-x.json").write_text(json.dumps(event))


def ended(status: Status, *, released: bool = True, received: int = 0) -> dict[str, object]:
    """Return the fields of a record of a job that has ended."""
    checkpoint = Checkpoint(position=Position(offset=received))
    outcome = Outcome(status=status)
    return {"stage": Stage.ENDED, "outcome": outcome, "released": released, "checkpoint": checkpoint}


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    """Four jobs on two nodes, and two certificates."""
    write_job(tmp_path, "1", "exec1", 4.0, sent_bytes=100, **ended(Status.SUCCESSFUL, received=1000))
    write_job(
        tmp_path, "2", "exec1", 5.0, sent_bytes=50, **ended(Status.SUCCESSFUL, released=False, received=500)
    )
    write_job(tmp_path, "3", "exec2", 4000.0, **ended(Status.FAILED))
    write_job(tmp_path, "4", 'exec"2', 1.0, stage=Stage.STARTED, sent_bytes=7)
    ends = [
        CertificateEnd(path=Path(f"/etc/{name}.crt"), not_after=NOW + timedelta(days=days))
        for name, days in (("a", 12.5), ("b", -1))
    ]
    return take_snapshot(read_all(tmp_path), ends, NOW)


def test_what_is_counted(snapshot: Snapshot) -> None:
    """Jobs by node and state, durations of those that ended, bytes both ways, units that were not released."""
    assert snapshot.jobs == {
        ("exec1", "successful"): 2, ("exec2", "failed"): 1, ('exec"2', "started"): 1,
    }  # fmt: skip
    assert sorted(snapshot.durations_s) == [4.0, 5.0, 4000.0]
    assert (snapshot.sent_bytes, snapshot.received_bytes, snapshot.units_left) == (157, 1500, 1)


def test_the_text(snapshot: Snapshot) -> None:
    """prometheus_client's own parser reads it; names and labels are those of docs/metrics.md."""
    text = expose(snapshot)
    found = samples(text)

    def jobs(node: str, state: str) -> float:
        return found["receptor_runner_jobs", (("node", node), ("state", state))]

    assert (jobs("exec1", "successful"), jobs("exec1", "lost"), jobs('exec"2', "started")) == (2, 0, 1)
    duration = "receptor_runner_job_duration_seconds"
    counts = {
        bound: found[f"{duration}_bucket", (("le", bound),)]
        for bound in ("1.0", "5.0", "3600.0", "7200.0", "+Inf")
    }
    assert counts == {"1.0": 0, "5.0": 2, "3600.0": 2, "7200.0": 3, "+Inf": 3}
    assert (found[f"{duration}_count", ()], found[f"{duration}_sum", ()]) == (3, 4009)
    assert found["receptor_runner_sent_bytes", ()] == 157
    assert found["receptor_runner_received_bytes", ()] == 1500
    assert found["receptor_runner_units_left", ()] == 1
    days = "receptor_runner_certificate_remaining_days"
    assert (found[days, (("path", "/etc/a.crt"),)], found[days, (("path", "/etc/b.crt"),)]) == (12.5, -1)
    assert text.endswith("# EOF\n")


def test_the_older_format(snapshot: Snapshot) -> None:
    """The parser of the older format, which node_exporter reads, finds the same samples."""
    text = expose(snapshot)
    assert samples(text, parser.text_string_to_metric_families) == samples(text)
    kinds = {line.split()[3] for line in text.splitlines() if line.startswith("# TYPE")}
    assert kinds == {"gauge", "histogram"}


def test_without_jobs(tmp_path: Path) -> None:
    """No jobs are a valid text as well."""
    found = samples(expose(take_snapshot([], [], NOW)))
    assert found["receptor_runner_job_duration_seconds_count", ()] == 0
    assert not any(name == "receptor_runner_jobs" for name, _labels in found)
