"""Takes steps in order, times them, and skips those whose prerequisites failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from receptor_runner.doctor.verdict import Fault, Result, State, Verdict, failed, failed_by, skipped
from receptor_runner.errors import RunnerError

View = TypeVar("View")

_USABLE = frozenset({State.OK, State.WARNING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Generic[View]):
    """One check.

    Attributes:
        name: one or two words.
        check: returns what it finds; takes what the earlier steps have learned, and adds to it. It may raise a
            RunnerError instead of returning a failed verdict.
        needs: the names of earlier steps without which it cannot be taken.
    """

    name: str
    check: Callable[[View], Verdict]
    needs: tuple[str, ...] = ()


def take_steps(subject: str, steps: Sequence[Step[View]], view: View) -> Iterator[Result]:
    """Take steps in order and yield the result of each as soon as it is there.

    Args:
        subject: what is checked.
        steps: the steps; prerequisites come before the steps that need them.
        view: what the steps share.
    """
    states: dict[str, State] = {}
    for step in steps:
        started = time.monotonic()
        verdict = _take(step, view, states)
        states[step.name] = verdict.state
        yield Result(
            subject=subject,
            step=step.name,
            verdict=verdict,
            duration_s=round(time.monotonic() - started, 4),
        )


def _take(step: Step[View], view: View, states: dict[str, State]) -> Verdict:
    missing = next((name for name in step.needs if states.get(name) not in _USABLE), None)
    if missing:
        return skipped(f"it needs `{missing}`", needs=missing)
    try:
        return step.check(view)
    except RunnerError as error:
        return failed_by(error)
    except OSError as error:
        return failed(str(error), Fault.MISCONFIGURED, "repeat with --debug")
