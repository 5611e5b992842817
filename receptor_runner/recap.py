"""What the artifacts of a job say about it in short: how long it took, and on how many hosts it failed."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from receptor_runner.system.files import read_regular

COUNTS = {
    "ok": "ok",
    "changed": "changed",
    "dark": "unreachable",
    "failures": "failed",
    "skipped": "skipped",
    "rescued": "rescued",
    "ignored": "ignored",
}
"""The counts of a play recap: their names in the event `playbook_on_stats`, and what Ansible prints, in its order."""

_EVENT_FILE = re.compile(r"([0-9]+)-.+\.json").fullmatch
_LAST = 5
"""The recap of the play is among the last events; only warnings that are printed at the exit follow it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recap:
    """A job in short.

    Attributes:
        duration_s: seconds from its first event to its last, by the worker's clock; None without events.
        hosts: how many hosts took part; None while there is no recap of the play.
        failed: how many of them failed or could not be reached; likewise.
        changed: how many of the others were changed; likewise.
    """

    duration_s: float | None = None
    hosts: int | None = None
    failed: int | None = None
    changed: int | None = None


def read_recap(artifact_dir: Path) -> Recap:
    """Return what the events in an artifacts directory say; what cannot be read is left out.

    Only a few files are read, however many events there are.
    """
    files = _event_files(artifact_dir)
    if not files:
        return Recap()
    return _recap(_read(files[0]), [_read(path) for path in files[: -_LAST - 1 : -1]])


def read_stats(artifact_dir: Path) -> dict[str, Any]:
    """Return the counts of the play recap, kind to host to count; {} where the job has none."""
    for path in _event_files(artifact_dir)[: -_LAST - 1 : -1]:
        event = _read(path)
        data = event.get("event_data")
        if event.get("event") == "playbook_on_stats" and isinstance(data, dict):
            return data
    return {}


def read_events(artifact_dir: Path) -> Iterator[dict[str, Any]]:
    """Yield the events in an artifacts directory, in order; what cannot be read is left out."""
    yield from map(_read, _event_files(artifact_dir))


def _event_files(artifact_dir: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        paths = list((artifact_dir / "job_events").iterdir())
        numbered = [(int(match[1]), path) for path in paths if (match := _EVENT_FILE(path.name))]
        return [path for _number, path in sorted(numbered)]
    return []


def _read(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        event = json.loads(read_regular(path) or b"")
        return event if isinstance(event, dict) else {}
    return {}


def _recap(first: dict[str, Any], last: list[dict[str, Any]]) -> Recap:
    duration_s = None
    with contextlib.suppress(KeyError, TypeError, ValueError):
        duration = datetime.fromisoformat(last[0]["created"]) - datetime.fromisoformat(first["created"])
        duration_s = max(duration.total_seconds(), 0.0)
    for event in last:
        data = event.get("event_data")
        if event.get("event") == "playbook_on_stats" and isinstance(data, dict):
            return _with_hosts(duration_s, data)
    return Recap(duration_s=duration_s)


def _with_hosts(duration_s: float | None, stats: dict[str, Any]) -> Recap:
    hosts = {key: set(value) for key, value in stats.items() if isinstance(value, dict)}
    failed = hosts.get("failures", set()) | hosts.get("dark", set())
    seen = failed.union(
        *(hosts.get(key, set()) for key in ("ok", "changed", "skipped", "rescued", "ignored"))
    )
    changed = hosts.get("changed", set()) - failed
    return Recap(duration_s=duration_s, hosts=len(seen), failed=len(failed), changed=len(changed))
