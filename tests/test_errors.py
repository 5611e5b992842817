"""Errors: one tree, each with its exit code, and at most three lines to read."""

from __future__ import annotations

import os
import pickle
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receptor_runner import errors
from receptor_runner.errors import Interrupted, RunnerError, StreamError, UsageError, pasteable

CODES = {
    "RunnerError": 70,
    "UsageError": 64,
    "StreamError": 65,
    "ArchiveError": 65,
    "InputFailed": 65,
    "MissingInput": 66,
    "NodeUnavailable": 69,
    "Unreachable": 69,
    "Rejected": 69,
    "NeverStarted": 69,
    "UnknownUnit": 69,
    "IdentExists": 73,
    "OutputFailed": 74,
    "ContactLost": 75,
    "WorkerFailed": 76,
    "ConfigError": 78,
    "Interrupted": 130,
}


@pytest.mark.parametrize("name", CODES)
def test_each_error_has_its_place_and_code(name: str) -> None:
    """Every error is a RunnerError, stands in the tree of the docstring and has its documented exit code."""
    kind = getattr(errors, name)
    assert issubclass(kind, RunnerError)
    assert kind("what").exit_code == CODES[name]
    assert errors.__doc__ is not None
    assert f" {name} " in errors.__doc__


def test_the_tree_is_complete() -> None:
    """The table above names every error there is."""
    assert {name for name, kind in vars(errors).items() if isinstance(kind, type)} == set(CODES)


@given(st.text(), st.none() | st.text(), st.none() | st.text())
def test_an_error_is_at_most_three_lines_that_are_safe_to_show(
    what: str, cause: str | None, hint: str | None
) -> None:
    """Whatever a worker says, the message has at most three lines and no control characters."""
    lines = RunnerError(what, cause=cause, hint=hint).lines()
    assert 1 <= len(lines) <= 3
    assert all(line.isprintable() for line in lines)
    assert lines[0].startswith("error: ")


def test_the_parts_of_an_error() -> None:
    """An error shows what, cause and hint, and as text what and cause."""
    error = StreamError("what", cause="why\n  so", hint="do", offset=7)
    assert error.lines() == ["error: what", "  cause: why so", "  hint: do"]
    assert str(error) == "what: why\n  so"
    assert error.offset == 7
    assert str(RunnerError("what")) == "what"


def test_an_interrupt_has_the_signal_in_its_code() -> None:
    """Ctrl-C is 130 and SIGTERM 143."""
    assert Interrupted("x").exit_code == 130
    assert Interrupted("x", signal_number=15).exit_code == 143


def test_an_error_survives_a_trip_between_processes() -> None:
    """An error can be pickled, as concurrent callers do."""
    assert str(pickle.loads(pickle.dumps(RunnerError("what")))) == "what"


def test_another_hint_changes_nothing_else() -> None:
    """An error with another hint is of the same class and keeps its facts; the original keeps its hint."""
    error = StreamError("torn", cause="eof", hint="old", offset=7)
    hinted = error.with_hint("new")
    assert (type(hinted), hinted.what, hinted.cause, hinted.hint, hinted.offset) == (
        StreamError,
        "torn",
        "eof",
        "new",
        7,
    )
    assert error.hint == "old"
    assert Interrupted("stop", signal_number=15).with_hint("new").exit_code == 143


@pytest.mark.parametrize(
    "name",
    ["plain", "two words", "$(touch pwned)", "it's", "two  blanks", "line\nbreak", "tab\t'\\\\", "\udcff"],
)
def test_a_command_in_a_hint_can_be_pasted(name: str) -> None:
    """A shell takes it for the same words, and it is one printable line."""
    hint = UsageError("what", hint=pasteable("printf", "%s", name)).lines()[1]
    line = hint.removeprefix("  hint: ")
    assert line.isprintable()
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
    assert done.stdout == os.fsencode(name)
