"""What a result says about a job, and what its messages leave out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from receptor_runner.outcome import Outcome, Status
from receptor_runner.pytest_plugin import Event, HostRecap, PlaybookResult
from receptor_runner.pytest_plugin.results import read_result

FAILED = Outcome(status=Status.FAILED, rc=2)


def failure(host: str, **result: Any) -> Event:
    """Return the event of a failed task."""
    data = {
        "host": host,
        "task": "Install",
        "task_path": "/tmp/x/project/roles/web/tasks/main.yml:3",
        "res": result,
    }
    return Event(counter=1, kind="runner_on_failed", data=data)


def result_of(
    *events: Event, outcome: Outcome = FAILED, stdout: str = "", recap: dict[str, HostRecap] | None = None
) -> PlaybookResult:
    """Return the result of a job."""
    return PlaybookResult(
        playbook="site.yml",
        outcome=outcome,
        artifacts=Path("/a"),
        events=events,
        recap=recap or {},
        stdout=stdout,
    )


def message_of(result: PlaybookResult) -> list[str]:
    """Return the lines with which `assert_ok` fails."""
    with pytest.raises(AssertionError) as raised:
        result.assert_ok()
    return str(raised.value).splitlines()


def test_the_message_has_the_words_of_the_module() -> None:
    """Message and stderr of the failed task are shown, with host, task and place in the project."""
    event = failure("web1", msg="non-zero return code", stderr="ls: no such file", rc=2)
    assert message_of(result_of(event)) == [
        "site.yml: failed, exit code 2",
        "  web1: Install (roles/web/tasks/main.yml:3)",
        "    non-zero return code",
        "    ls: no such file",
        "  artifacts: /a",
    ]


def test_the_message_names_the_items_of_a_loop_that_failed() -> None:
    """Of a loop the failed items are shown, each with what it said."""
    items = [{"item": "a", "failed": True, "msg": "no a"}, {"item": "b", "failed": False}]
    event = failure("web1", msg="One or more items failed", results=items)
    assert message_of(result_of(event))[2:-1] == ["    (item=a) no a"]


def test_the_message_is_short_whatever_failed() -> None:
    """Many hosts, many lines and long lines are cut, and the message says so."""
    events = [failure(f"web{number}", msg="x" * 5000 + "\ny" * 100) for number in range(30)]
    lines = message_of(result_of(*events))
    assert len(lines) < 60
    assert max(map(len, lines)) < 320
    assert "    ... and 93 more lines" in lines
    assert "  and 25 more" in lines


def test_a_job_without_a_failed_task_shows_its_last_lines() -> None:
    """A syntax error or a timeout shows the explanation, or the end of the output."""
    assert message_of(result_of(stdout="1\n" * 50 + "ERROR! syntax\n"))[-2:] == [
        "    ERROR! syntax",
        "  artifacts: /a",
    ]
    lost = Outcome(status=Status.LOST, explanation="its node is gone")
    assert message_of(result_of(outcome=lost))[:2] == ["site.yml: lost, exit code 75", "    its node is gone"]


def test_failures_that_do_not_count_are_not_blamed() -> None:
    """A rescued or ignored failure is no failure; of several failures of a host the last one counts."""
    ignored = Event(counter=2, kind="runner_on_failed", data={"host": "web1", "ignore_errors": True})
    unreachable = Event(counter=3, kind="runner_on_unreachable", data={"host": "web2"})
    recap = {"web1": HostRecap(ok=1, rescued=1), "web2": HostRecap(unreachable=1)}
    assert result_of(failure("web1"), ignored, unreachable, recap=recap).failures == (unreachable,)


def test_the_recap_is_summed_and_shown() -> None:
    """`totals` and the representation tell what happened on all hosts."""
    recap = {"a": HostRecap(ok=1, changed=1), "b": HostRecap(ok=2)}
    result = result_of(outcome=Outcome(status=Status.SUCCESSFUL), recap=recap)
    assert (result.totals, result.changed) == (HostRecap(ok=3, changed=1), 1)
    assert repr(result) == "<site.yml successful, exit code 0; a: ok=1 changed=1; b: ok=2 changed=0>"


def test_artifacts_that_are_missing_make_an_empty_result(tmp_path: Path) -> None:
    """A job that left nothing has no events, no recap and no output."""
    result = read_result("site.yml", FAILED, tmp_path)
    assert (result.events, result.recap, result.stdout) == ((), {}, "")
