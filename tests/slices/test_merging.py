"""The worst slice decides how the sliced job ended, and all recaps make one."""

from __future__ import annotations

from typing import Any

import pytest
from receptor_runner.errors import NeverStarted, RunnerError, StreamError
from receptor_runner.outcome import Outcome, Status
from receptor_runner.slices.merging import SliceEnd, merged_end, merged_recap, recap_lines

GOOD = Outcome(status=Status.SUCCESSFUL, rc=0)
FAILED = Outcome(status=Status.FAILED, rc=2)
UNREACHABLE = Outcome(status=Status.FAILED, rc=4)
CANCELED = Outcome(status=Status.CANCELED, rc=254)
BROKEN = StreamError("broken")
NEVER = NeverStarted("never")
LOST = Outcome(status=Status.LOST)


@pytest.mark.parametrize(
    ("ends", "status", "rc", "exit_code"),
    [
        ([GOOD, GOOD], "successful", 0, 0),
        ([FAILED, GOOD], "failed", 2, 2),
        ([FAILED, UNREACHABLE, GOOD], "failed", 4, 4),
        ([UNREACHABLE, CANCELED, FAILED], "canceled", 254, 254),
        ([CANCELED, BROKEN, GOOD], "error", None, 65),
        ([BROKEN, NEVER, CANCELED], "error", None, 69),
        ([NEVER, LOST, GOOD], "lost", None, 75),
    ],
)
def test_the_worst_slice_decides(
    ends: list[Outcome | RunnerError], status: str, rc: int | None, exit_code: int
) -> None:
    """Lost is worse than no verdict, that than stopped, that than failed; among equals the larger exit code counts."""
    for order in (ends, ends[::-1]):
        end = merged_end(SliceEnd.of(one) for one in order)
        assert (end.status.value, end.rc, end.exit_code) == (status, rc, exit_code)


def test_a_recap_of_all_hosts() -> None:
    """Counts are kept by host; a host of several slices has the sum; what is not a count is left out."""
    stats: list[dict[str, Any]] = [
        {"ok": {"a": 2, "localhost": 1}, "changed": {"a": 1}, "dark": {}, "processed": {"a": 1}},
        {"ok": {"b": 1, "localhost": 1}, "failures": {"b": 1}, "artifact_data": {"x": "y"}, "skipped": 3},
        {},
    ]
    recap = merged_recap(stats)
    assert recap.counts["localhost"] == {"ok": 2}
    assert (recap.hosts, recap.failed_hosts, recap.changed) == (3, ["b"], 1)


def test_a_recap_reads_as_ansible_prints_one() -> None:
    """A title, and a line for each host with aligned names and Ansible's columns; nothing without hosts."""
    assert recap_lines(merged_recap([])) == []
    title, *lines = recap_lines(merged_recap([{"ok": {"web1": 2, "b": 1}, "dark": {"b": 1}}]))
    assert title.startswith("PLAY RECAP")
    assert [" ".join(line.split()) for line in lines] == [
        "b : ok=1 changed=0 unreachable=1 failed=0 skipped=0 rescued=0 ignored=0",
        "web1 : ok=2 changed=0 unreachable=0 failed=0 skipped=0 rescued=0 ignored=0",
    ]
    assert lines[0].index(":") == lines[1].index(":")
