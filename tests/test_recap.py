"""A job in short, from its artifacts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from receptor_runner.recap import Recap, read_recap


def write_events(directory: Path, *events: dict[str, Any]) -> None:
    """Write events as `process` does, the first with counter 1."""
    (directory / "job_events").mkdir()
    for number, event in enumerate(events, 1):
        (directory / "job_events" / f"{number}-u{number}.json").write_text(json.dumps(event))


STATS = {
    "ok": {"a": 3, "b": 1, "c": 1},
    "changed": {"b": 1, "c": 1},
    "failures": {"c": 1},
    "dark": {"d": 1},
    "processed": {"a": 1, "b": 1, "c": 1, "d": 1},
    "artifact_data": {},
}


def test_duration_and_hosts(tmp_path: Path) -> None:
    """From the first event to the last, and the hosts of the play's recap; warnings may follow it."""
    middle = [{"event": "verbose", "created": "2026-01-01T00:00:05+00:00"}] * 20
    write_events(
        tmp_path,
        {"event": "playbook_on_start", "created": "2026-01-01T00:00:00+00:00"},
        *middle,
        {"event": "playbook_on_stats", "created": "2026-01-01T00:01:10+00:00", "event_data": STATS},
        {"event": "verbose", "created": "2026-01-01T00:01:12+00:00"},
    )
    assert read_recap(tmp_path) == Recap(duration_s=72.0, hosts=4, failed=2, changed=1)


def test_without_a_recap_of_the_play(tmp_path: Path) -> None:
    """A job that was stopped has a duration and no hosts; one without events has neither."""
    assert read_recap(tmp_path) == Recap()
    write_events(tmp_path, {"event": "verbose", "created": "2026-01-01T00:00:00+00:00"})
    assert read_recap(tmp_path) == Recap(duration_s=0.0)


def test_damage_costs_nothing_else(tmp_path: Path) -> None:
    """Files and events that cannot be read are left out."""
    write_events(tmp_path, {}, {"event": "playbook_on_stats", "event_data": STATS, "created": 7})
    (tmp_path / "job_events" / "3-x.json").write_text('{"event":')
    (tmp_path / "job_events" / "strange").write_text("")
    assert read_recap(tmp_path).failed == 2
