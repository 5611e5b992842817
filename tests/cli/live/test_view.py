"""The model behind the status line, fed with events."""

from __future__ import annotations

from typing import Any

import pytest
from receptor_runner.cli.live.view import HostCounts, Phase, RunView, UploadMeter


def event(name: str, **data: Any) -> dict[str, Any]:
    """Return an event as it comes from a worker."""
    return {"event": name, "event_data": data}


@pytest.fixture
def view() -> RunView:
    """A job that began at second 100."""
    return RunView(began=100.0)


def test_the_line_names_play_and_task(view: RunView) -> None:
    """The latest play and task are shown; a new play has no task yet."""
    view.take_event(event("playbook_on_play_start", play="Web"))
    view.take_event(event("playbook_on_task_start", task="Install"))
    line = view.line(160.0)
    assert (line.play, line.task, line.elapsed_s) == ("Web", "Install", 60.0)
    view.take_event(event("playbook_on_play_start", play="Databases"))
    assert (view.line(161.0).play, view.line(161.0).task) == ("Databases", "")


def test_each_host_counts_once_by_the_worst_that_happened(view: RunView) -> None:
    """A host that was changed and then failed counts as failed; one that is fine again stays changed."""
    for host, changed in (("a", False), ("b", True), ("b", False), ("c", True)):
        view.take_event(event("runner_on_ok", host=host, res={"changed": changed}))
    view.take_event(event("runner_on_failed", host="c", task="Start"))
    view.take_event(event("runner_on_unreachable", host="d", task="Start"))
    assert view.hosts == HostCounts(ok=1, changed=1, failed=2)
    assert view.failures == [("c", "Start"), ("d", "Start")]


def test_an_ignored_failure_is_none(view: RunView) -> None:
    """`ignore_errors` keeps a host from counting as failed."""
    view.take_event(event("runner_on_failed", host="a", task="Try", ignore_errors=True))
    assert view.hosts == HostCounts(ok=1)
    assert view.failures == []


def test_the_recap_has_the_last_word(view: RunView) -> None:
    """Only the recap knows that a failure was rescued, and which hosts came before an attach."""
    view.take_event(event("runner_on_failed", host="rescued", task="Try"))
    view.take_event(event("runner_on_failed", host="broken", task="Try"))
    view.take_event(
        event(
            "playbook_on_stats",
            ok={"rescued": 2, "early": 1, "broken": 1},
            changed={"early": 1},
            failures={"broken": 1},
            dark={},
            rescued={"rescued": 1},
            processed={"rescued": 1, "early": 1, "broken": 1},
        )
    )
    assert view.hosts == HostCounts(ok=1, changed=1, failed=1)
    assert view.failures == [("broken", "Try")]


@pytest.mark.parametrize(
    "strange",
    [
        {},
        {"event": "runner_on_ok"},
        {"event": "runner_on_ok", "event_data": None},
        {"event": "runner_on_ok", "event_data": {"host": 7, "res": "text"}},
        {"event": "runner_on_ok", "event_data": {"host": "a"}},
        {"event": "playbook_on_stats", "event_data": {"ok": "text", "failures": None}},
        {"event": "playbook_on_task_start", "event_data": {"task": ["list"]}},
    ],
)
def test_strange_events_do_no_harm(view: RunView, strange: dict[str, Any]) -> None:
    """Events come from a worker that may be anything: none of them breaks the display."""
    view.take_event(strange)
    view.line(101.0)


def test_names_cannot_drive_the_terminal(view: RunView) -> None:
    """Line ends and control characters in the name of a task do not reach the line."""
    view.take_event(event("playbook_on_task_start", task="one\ntwo\x1b[2J"))
    assert view.line(101.0).task == "one two [2J"


def test_trouble_is_told_with_its_duration(view: RunView) -> None:
    """The same trouble again does not restart its clock; the end of it removes it."""
    view.take_trouble("node `exec1` left the mesh", 110.0)
    view.take_trouble("node `exec1` left the mesh", 115.0)
    line = view.line(122.0)
    assert (line.trouble, line.trouble_s) == ("node `exec1` left the mesh", 12.0)
    view.take_trouble("", 123.0)
    assert (view.line(124.0).trouble, view.line(124.0).trouble_s) == ("", 0.0)


def test_the_phases_follow_what_happens(view: RunView) -> None:
    """Packing, uploading, waiting, running, fetching."""
    seen = [view.phase]
    view.take_upload(1, 2, 101.0)
    seen.append(view.phase)
    view.take_upload(2, 2, 102.0)
    seen.append(view.phase)
    view.take_status({"status": "starting"})
    seen.append(view.phase)
    view.take_status({"status": "successful"})
    seen.append(view.phase)
    assert seen == [Phase.PACKING, Phase.UPLOADING, Phase.WAITING, Phase.RUNNING, Phase.FETCHING]


def test_the_rate_is_that_of_the_last_seconds() -> None:
    """A slow beginning is forgotten: rate and time left are those of the last ten seconds."""
    meter = UploadMeter()
    first = meter.measure(0, 1000, 0.0)
    assert (first.rate, first.left_s) == (0.0, None)
    for second in range(1, 21):
        meter.measure(second, 1000, float(second))
    last = [meter.measure(20 + 50 * n, 1000, 20.0 + n) for n in range(1, 11)][-1]
    assert last.rate == pytest.approx(50, rel=0.01)
    assert last.left_s == pytest.approx(480 / 50, rel=0.01)


def test_the_rate_of_an_upload_that_stands_still_falls() -> None:
    """What is left does not take as long as it would have taken: nobody reads any more."""
    view = RunView(began=0.0)
    view.take_upload(0, 1000, 1.0)
    view.take_upload(500, 1000, 2.0)
    shown = [view.line(now).upload for now in (2.0, 6.0, 51.0)]
    assert [upload and (upload.rate, upload.left_s) for upload in shown] == [(500, 1), (100, 5), (10, 50)]
