"""The status line of a sliced job counts slices and hosts, and names a node that is out of reach."""

from __future__ import annotations

import time
from typing import Any

from receptor_runner.cli.live.slices_line import SlicesLineRenderer
from receptor_runner.cli.live.slices_view import SlicePhase, SlicesView


def ok(host: str, *, changed: bool = False) -> dict[str, Any]:
    """Return the event of a task that went well."""
    return {"event": "runner_on_ok", "event_data": {"host": host, "task": "t", "res": {"changed": changed}}}


def failed(host: str) -> dict[str, Any]:
    """Return the event of a task that failed."""
    return {"event": "runner_on_failed", "event_data": {"host": host, "task": "install"}}


def view_of_three(began: float = 0.0) -> SlicesView:
    """Return a view of which one slice failed, one runs and one waits."""
    view = SlicesView(began=began)
    for number in (1, 2, 3):
        view.wait(number)
    view.run(1)
    view.take_event(1, ok("a"))
    view.take_event(1, failed("b"))
    view.end(1, is_good=False)
    view.run(2)
    view.take_event(2, ok("c", changed=True))
    return view


def test_slices_and_hosts_are_counted() -> None:
    """Slices by how far they are; hosts of slices that have ended count on, their failures are kept."""
    view = view_of_three()
    line = view.line(65.0)
    assert dict(line.phases) == {
        SlicePhase.WAITING: 1,
        SlicePhase.RUNNING: 1,
        SlicePhase.DONE: 0,
        SlicePhase.FAILED: 1,
    }
    assert (line.hosts.ok, line.hosts.changed, line.hosts.failed) == (1, 1, 1)
    assert view.failures == [("b", "install")]


def test_a_slice_that_runs_again_is_counted_anew() -> None:
    """A slice that goes to another node waits again, and its events do not count twice."""
    view = view_of_three()
    view.wait(2)
    view.run(2)
    view.take_event(2, ok("c"))
    assert view.line(0.0).hosts.total == 3


def test_the_line_fits_the_terminal() -> None:
    """The line has what fits: trouble first, then the counts."""
    view = view_of_three(time.monotonic())
    view.take_trouble(2, "exec2", "out of the mesh")
    wide, _columns = SlicesLineRenderer(view)(120)
    for words in ("3 slices", "1 running", "1 failed", "1 waiting", "exec2: out of the mesh"):
        assert words in wide
    narrow, columns = SlicesLineRenderer(view)(55)
    assert columns <= 55
    assert "1 running" in narrow
    view.take_trouble(2, "exec2", "")
    assert "exec2" not in SlicesLineRenderer(view)(120)[0]
