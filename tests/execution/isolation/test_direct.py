"""A job without isolation."""

from __future__ import annotations

from pathlib import Path

from receptor_runner.execution.command import Plan
from receptor_runner.execution.event_channel import DESCRIPTOR, VARIABLE
from receptor_runner.execution.isolation.direct import Direct


def test_a_command_runs_as_it_is_and_knows_its_channel(tmp_path: Path) -> None:
    """The program is the plan's, in a terminal, and finds the channel by its number."""
    plan = Plan(command=("ansible", "x"), env={"A": "1"}, cwd=tmp_path)
    program = Direct().wrap(plan)
    assert (program.argv, program.cwd, program.terminal) == (("ansible", "x"), tmp_path, True)
    assert program.env == {"A": "1", VARIABLE: str(DESCRIPTOR)}
