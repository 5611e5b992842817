"""The index says which slice has which hosts and how it ended, and survives its way through JSON."""

from __future__ import annotations

import json

import pytest
from receptor_runner.errors import ContactLost, StreamError
from receptor_runner.outcome import Outcome, Status
from receptor_runner.slices.index import Index

PLANNED = Index.planned("job", "site.yml", [("a", "b"), ("c",)], with_localhost=False)
GOOD = Outcome(status=Status.SUCCESSFUL, rc=0)


def test_a_plan_has_no_end() -> None:
    """Each slice waits, with its hosts and an ident of its own."""
    assert [(entry.number, entry.ident, entry.status) for entry in PLANNED.slices] == [
        (1, "job-slice-1", "waiting"),
        (2, "job-slice-2", "waiting"),
    ]
    assert (PLANNED.status, PLANNED.end) == ("running", None)


def test_the_last_slice_ends_the_whole() -> None:
    """While one has no end the sliced job has none; then the worst counts, until a slice runs again."""
    one = PLANNED.with_entry(PLANNED.entry(1).with_end(GOOD))
    assert (one.status, one.end) == ("running", None)
    both = one.with_entry(one.entry(2).with_end(StreamError("broken", cause="here")))
    assert (both.status, both.rc, both.exit_code) == ("error", None, 65)
    assert both.entry(2).explanation == "broken: here"
    again = both.with_entry(both.entry(2).as_waiting("b"))
    assert (again.status, again.exit_code, again.entry(2).target) == ("running", None, "b")


def test_lost_contact_is_no_end() -> None:
    """A slice that may still run has no end, and so the sliced job has none."""
    lost = PLANNED.entry(1).with_end(ContactLost("detached"))
    assert (lost.end, lost.explanation) == (None, "detached")
    gone = PLANNED.entry(1).with_end(Outcome(status=Status.LOST, explanation="its node left"))
    assert gone.end is not None
    assert gone.exit_code == 75


def test_an_index_reads_as_it_was_written() -> None:
    """JSON and back changes nothing; programs find the artifacts of each slice beside it."""
    index = PLANNED.with_entry(PLANNED.entry(2).with_end(GOOD))
    value = json.loads(json.dumps(index.to_json()))
    assert Index.from_json(value) == index
    assert [entry["artifacts"] for entry in value["slices"]] == ["../job-slice-1", "../job-slice-2"]


def test_what_is_no_index_is_an_error() -> None:
    """The error says what is wrong, and where."""
    value = json.loads(json.dumps(PLANNED.to_json()))
    value["slices"][1]["hosts"] = "c"
    with pytest.raises(ValueError, match=r"at `\$.slices\[1\].hosts`"):
        Index.from_json(value)
