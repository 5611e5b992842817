"""How a job is shown: as JSON for programs, and where it runs in one line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from receptor_runner.cli import messages
from receptor_runner.recap import read_recap

if TYPE_CHECKING:
    from receptor_runner.receptor.jobs.overview import JobView
    from receptor_runner.receptor.jobs.record import Record
    from receptor_runner.receptor.nodes.locate import LocalNode


def describe(record: Record) -> dict[str, Any]:
    """Return a record as programs read it."""
    outcome = record.outcome
    return {
        "schema": 1,
        "ident": record.ident,
        "node": record.node,
        "socket": record.socket,
        "work_type": record.work_type,
        "playbook": record.playbook,
        "unit": record.unit_id,
        "created": record.created,
        "updated": record.updated,
        "active": record.is_active,
        "status": outcome.status.value if outcome else record.checkpoint.status or record.stage.value,
        "rc": outcome.rc if outcome else None,
        "verdict": bool(outcome and outcome.is_verdict),
        "explanation": outcome.explanation if outcome else None,
        "warnings": list(outcome.warnings) if outcome else [],
        "events": record.checkpoint.counter,
        "released": record.released,
    }


def age_s(record: Record) -> float:
    """Return how many seconds ago a job was recorded."""
    return (datetime.now(UTC) - datetime.fromisoformat(record.created)).total_seconds()


def describe_view(view: JobView) -> dict[str, Any]:
    """Return how a job stands now, as programs read it."""
    from receptor_runner.receptor.jobs.record import RecordFile

    place, record = view.job.place, view.record
    recap = read_recap(RecordFile(place.private_data_dir, place.ident).artifact_dir)
    age = age_s(record)
    return {
        **describe(record),
        "private_data_dir": str(place.private_data_dir),
        "age_s": round(age, 3),
        "duration_s": age if record.is_active and not view.awaits_attach else recap.duration_s,
        "hosts": recap.hosts,
        "hosts_failed": recap.failed,
        "active": view.is_active,
        "status": view.status,
        "unit_state": view.unit.state.value if view.unit else None,
        "node_error": view.node_error,
    }


def note_route(record: Record, local: LocalNode) -> None:
    """Show in one line where a job runs."""
    if local.embedded:  # its socket is of no use to anybody else
        messages.note(f"job {record.ident} on embedded node `{record.node}` ({local.source})")
    else:
        messages.note(f"job {record.ident} on node `{record.node}` via {local.socket} ({local.source})")
