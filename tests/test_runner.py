"""A job as its artifacts tell it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from receptor_runner.errors import MissingInput
from receptor_runner.handlers import runner_config
from receptor_runner.outcome import Outcome, Status
from receptor_runner.runner import Runner

STATS = {"ok": {"a": 2}, "changed": {}, "custom": 1, "playbook_uuid": "u"}


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A runner of a job with a few artifacts."""
    made = Runner(runner_config(tmp_path, "1"))
    events = made.artifact_dir / "job_events"
    events.mkdir(parents=True)
    found: dict[str, dict[str, Any]] = {
        "2-b.json": {"counter": 2, "event": "runner_on_ok", "event_data": {"host": "a"}},
        "10-d.json": {"counter": 10, "event": "playbook_on_stats", "event_data": STATS},
        "9-c.json": {"counter": 9, "event": "runner_on_ok", "event_data": {"host": "b"}},
        "1-a.json": {"counter": 1, "event": "verbose"},
        "3-x-partial.json": {},
        "x-partial.json": {},
        "3-e.json": {"counter": 3, "event": "odd", "event_data": ["no mapping"]},
    }
    for name, event in found.items():
        (events / name).write_text(json.dumps(event))
    return made


def test_events_come_by_their_counter(runner: Runner) -> None:
    """Events are in the order of their numbers, unfinished files are left out, and asking again starts again."""
    for _ in range(2):
        assert [event["counter"] for event in runner.events] == [1, 2, 3, 9, 10]
    assert [event["counter"] for event in runner.host_events("a")] == [2]
    assert list(runner.host_events("nobody")) == []


def test_stats(runner: Runner) -> None:
    """Stats have all kinds of numbers of the recap and nothing else; without a recap there are none."""
    assert runner.stats == {
        "skipped": {},
        "ok": {"a": 2},
        "dark": {},
        "failures": {},
        "ignored": {},
        "rescued": {},
        "processed": {},
        "changed": {},
    }
    (runner.artifact_dir / "job_events/10-d.json").unlink()
    assert runner.stats is None


def test_a_job_without_artifacts(tmp_path: Path) -> None:
    """Where nothing is, there are no events and no stats, and the output is missing."""
    runner = Runner(runner_config(tmp_path, "none"))
    assert list(runner.events) == []
    assert runner.stats is None
    assert runner.get_fact_cache("a") == {}
    for name in ("stdout", "stderr"):
        with pytest.raises(MissingInput, match=f"{name} missing"):
            getattr(runner, name)


def test_the_output_is_text(runner: Runner) -> None:
    """The output is read as UTF-8, whatever is in it."""
    (runner.artifact_dir / "stdout").write_bytes("é".encode() + b"\xff")
    with runner.stdout as shown:
        assert shown.read() == "é\ufffd"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("web", {"fact": 1}),
        ("s1_web", {"__payload__": json.dumps({"fact": 1})}),
        ("s1_web", {"fact": 1}),
    ],
)
def test_facts_of_old_and_new_ansible(runner: Runner, name: str, content: dict[str, Any]) -> None:
    """Facts are found in the file that ansible names after the host, with or without prefix and wrapping."""
    (runner.artifact_dir / "fact_cache").mkdir()
    (runner.artifact_dir / "fact_cache" / name).write_text(json.dumps(content))
    assert runner.get_fact_cache("web") == {"fact": 1}
    assert runner.get_fact_cache("other") == {}


@pytest.mark.parametrize("name", ["web", "s1_web"])
def test_facts_of_a_job_outdo_those_that_were_set(runner: Runner, name: str) -> None:
    """What a job wrote in the same moment counts, though its time comes home in whole, even seconds."""
    runner.set_fact_cache("web", {"fact": "set"})
    for other in ("web", "s1_web"):  # both have travelled
        travelled(runner.artifact_dir / "fact_cache" / other)
    path = runner.artifact_dir / "fact_cache" / name
    path.write_text(json.dumps({"fact": "written"}))
    travelled(path)
    assert runner.get_fact_cache("web") == {"fact": "written"}


def travelled(path: Path) -> None:
    """Give a file the time that an archive keeps."""
    seconds = int(path.stat().st_mtime) // 2 * 2
    os.utime(path, (seconds, seconds))


@pytest.mark.parametrize("host", ["../stdout", "..", ".", "", "a\0b", "x" * 300])
def test_a_host_is_no_path(runner: Runner, host: str) -> None:
    """A host name that leads elsewhere, or cannot be a file's, has no facts."""
    (runner.artifact_dir / "fact_cache").mkdir()
    (runner.artifact_dir / "stdout").write_text("{}")
    assert runner.get_fact_cache(host) == {}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("successful", (False, False, False)),
        ("failed", (False, False, False)),
        ("canceled", (True, False, False)),
        ("timeout", (False, True, False)),
        ("error", (False, False, True)),
        ("lost", (False, False, True)),
    ],
)
def test_how_it_ended(runner: Runner, status: str, said: tuple[bool, bool, bool]) -> None:
    """Canceled, timed out and errored say what the status says."""
    assert (runner.status, runner.rc) == ("unstarted", None)
    runner.settle(Outcome(status=Status(status), rc=3, explanation="why"))
    assert (runner.status, runner.rc, runner.explanation) == (status, 3, "why")
    assert (runner.canceled, runner.timed_out, runner.errored) == said
