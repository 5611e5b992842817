"""What the doctor found, for people and for programs."""

from __future__ import annotations

import itertools
import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from receptor_runner.cli import color, node_hints, output
from receptor_runner.doctor.verdict import Result, State, exit_code

if TYPE_CHECKING:
    from receptor_runner.doctor.examine import Examination

_STYLES = {State.OK: "green", State.WARNING: "yellow", State.FAILED: "bold red", State.SKIPPED: "dim"}
_STATE_WIDTH = max(len(state) for state in State)
_STEP_WIDTH = 12
_TIME_WIDTH = 7
_NARROWEST = 40


def as_json(examination: Examination) -> int:
    """Print the results as one JSON object; return the exit code."""
    results = list(examination.results())
    code = exit_code(results)
    steps = [_describe(result) for result in results]
    output.data({"schema": 1, "ok": code == 0, "exit_code": code, "steps": steps})
    return code


def _describe(result: Result) -> dict[str, Any]:
    verdict = result.verdict
    return {
        "subject": result.subject,
        "step": result.step,
        "state": verdict.state.value,
        "summary": verdict.summary,
        "hint": node_hints.with_socket(verdict.hint) if verdict.hint else None,
        "fault": verdict.fault.name.lower() if verdict.fault else None,
        "facts": dict(verdict.facts),
        "duration_s": result.duration_s,
    }


def as_text(examination: Examination) -> int:
    """Print each result as soon as it is there, and at the end what to do; return the exit code."""
    results: list[Result] = []
    for subject, found in itertools.groupby(examination.results(), key=lambda result: result.subject):
        output.line(f"\n{subject}" if results else subject)
        results += _shown(found)
    output.line("")
    _show_advice(results)
    return exit_code(results)


def _shown(found: Iterable[Result]) -> list[Result]:
    """Print the results of one subject and return them; the steps that waited in vain share a line."""
    results = []
    for result in found:
        results.append(result)
        if not result.verdict.needs:
            _show(result)
    waiting = [result.step for result in results if result.verdict.needs]
    if waiting:
        text = f"{', '.join(waiting)}: each needs a step that failed"
        output.line(f"  {_styled(State.SKIPPED)}  {_wrapped(text, 2 + _STATE_WIDTH + 2)}")
    return results


def _show(result: Result) -> None:
    verdict = result.verdict
    time = "" if verdict.state is State.SKIPPED else f"{result.duration_s:.2f} s"
    columns = f"{result.step:{_STEP_WIDTH}}  {time:>{_TIME_WIDTH}}"
    indent = 2 + _STATE_WIDTH + 2 + len(columns) + 2
    output.line(f"  {_styled(verdict.state)}  {columns}  {_wrapped(verdict.summary, indent)}")


def _styled(state: State) -> str:
    """Return a state in its column, in its color if stdout gets colors."""
    padded = f"{state.value:{_STATE_WIDTH}}"
    if not color.is_wanted(sys.stdout):
        return padded
    from rich.text import Text

    from receptor_runner.cli.live.drawing import draw, terminal_console

    return draw(terminal_console(sys.stdout), [Text(padded, _STYLES[state])])


def _wrapped(text: str, indent: int) -> str:
    """Return a text that continues below its beginning where the terminal ends; as it is where there is none."""
    printable = "".join(char if char.isprintable() else "?" for char in text)
    if not sys.stdout.isatty():
        return printable
    width = max(os.get_terminal_size(sys.stdout.fileno()).columns - indent, _NARROWEST)
    return ("\n" + " " * indent).join(textwrap.wrap(printable, width, break_on_hyphens=False) or [""])


def _show_advice(results: Sequence[Result]) -> None:
    """Print what to do, the failures first; a hint that several steps give is printed once."""
    failures = [result for result in results if result.verdict.state is State.FAILED]
    warnings = [result for result in results if result.verdict.state is State.WARNING]
    if not failures and not warnings:
        output.line("Everything looks good: jobs can run.")
        return
    counts = [_count(failures, "failure"), _count(warnings, "warning")]
    output.line(f"{' and '.join(filter(None, counts))}. What to do:")
    advice: dict[str, list[str]] = {}
    for result in (*failures, *warnings):
        advice.setdefault(node_hints.with_socket(result.verdict.hint or ""), []).append(
            f"{result.subject}, {result.step}"
        )
    for hint, places in advice.items():
        output.line(f"  {'; '.join(places)}:\n      {_wrapped(hint, 6)}")


def _count(results: Sequence[Result], name: str) -> str:
    if not results:
        return ""
    return f"{len(results)} {name}" + ("s" if len(results) > 1 else "")
