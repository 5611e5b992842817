"""Steps are taken in order; what a failed step was needed for is skipped, everything else is not."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from receptor_runner.doctor.steps import Step, take_steps
from receptor_runner.doctor.verdict import (
    Fault,
    Result,
    State,
    Verdict,
    exit_code,
    failed,
    ok,
    skipped,
    warning,
)
from receptor_runner.errors import (
    ConfigError,
    NeverStarted,
    NodeUnavailable,
    OutputFailed,
    Rejected,
    RunnerError,
    Unreachable,
)


@dataclass
class View:
    """What was taken."""

    taken: list[str] = field(default_factory=list)


def step(name: str, verdict: Verdict, *needs: str) -> Step[View]:
    """Return a step with a known verdict."""

    def check(view: View) -> Verdict:
        view.taken.append(name)
        return verdict

    return Step(name=name, check=check, needs=needs)


def take(*steps: Step[View]) -> tuple[View, dict[str, Result]]:
    """Take steps; return what was taken, and the results by name."""
    view = View()
    return view, {result.step: result for result in take_steps("x", steps, view)}


BROKEN = failed("broken", Fault.UNREACHABLE, "mend it")


def test_what_needs_a_failed_step_is_skipped_with_the_reason() -> None:
    """It names the step; what needs the skipped one is skipped too, the others are taken."""
    view, results = take(step("a", BROKEN), step("b", ok(""), "a"), step("c", ok(""), "b"), step("d", ok("")))

    assert view.taken == ["a", "d"]
    assert [result.verdict.state for result in results.values()] == [
        State.FAILED, State.SKIPPED, State.SKIPPED, State.OK,
    ]  # fmt: skip
    assert (results["b"].verdict.needs, results["c"].verdict.needs) == ("a", "b")
    assert results["b"].verdict.summary == "it needs `a`"


def test_a_warning_does_not_stop_anything() -> None:
    """What needs a step that only warned is taken."""
    view, _results = take(step("a", warning("old", "renew it")), step("b", ok(""), "a"))
    assert view.taken == ["a", "b"]


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (Unreachable("gone"), Fault.UNREACHABLE),
        (NodeUnavailable("unknown"), Fault.UNREACHABLE),
        (Rejected("no"), Fault.MISCONFIGURED),
        (NeverStarted("no"), Fault.MISCONFIGURED),
        (ConfigError("bad"), Fault.MISCONFIGURED),
        (OutputFailed("full"), Fault.MISCONFIGURED),
    ],
)
def test_an_error_is_a_failure(error: RunnerError, fault: Fault) -> None:
    """A step that raises has failed, in the words of the error and with its hint."""

    def check(_view: View) -> Verdict:
        raise error.with_hint("do this")

    _view, results = take(Step(name="a", check=check))
    verdict = results["a"].verdict
    assert (verdict.state, verdict.summary, verdict.hint) == (State.FAILED, str(error), "do this")
    assert verdict.fault is fault


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([ok(""), warning("", ""), skipped("")], 0),
        ([ok(""), failed("", Fault.MISCONFIGURED, "")], 78),
        ([failed("", Fault.MISCONFIGURED, ""), failed("", Fault.UNREACHABLE, "")], 69),
    ],
)
def test_the_exit_code(verdicts: list[Verdict], code: int) -> None:
    """Warnings are no failure; what cannot be reached counts before what is configured wrong."""
    results = [Result(subject="x", step="s", verdict=verdict, duration_s=0) for verdict in verdicts]
    assert exit_code(results) == code
