"""The list of jobs fits the terminal, and says so if there are none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from receptor_runner.cli.job_list import fitted

if TYPE_CHECKING:
    from tests.harness import CommandLine

LONGEST = {"job": 8, "playbook": 40, "node": 30, "state": 10, "age": 4, "took": 4, "failed": 6}


@pytest.mark.parametrize(
    ("room", "columns"),
    [
        (80, "job playbook node state age took failed"),
        (54, "job playbook node state age took failed"),
        (50, "job playbook node state age failed"),
        (44, "job playbook node state failed"),
        (40, "job node state failed"),
        (38, "job node state failed"),
        (26, "job node state"),
        (16, "job state"),
    ],
)
def test_columns_give_way_in_order(room: int, columns: str) -> None:
    """Names are cut first, then whole columns go; a state is always whole."""
    widths = fitted(LONGEST, room)
    assert " ".join(widths) == columns
    assert sum(widths.values()) + 2 * (len(widths) - 1) <= max(room, 18)
    assert widths["state"] == LONGEST["state"]


def test_a_directory_without_jobs(command_line: CommandLine) -> None:
    """A directory that has no jobs says so on stderr, and nothing to a program; one that does not exist is an error."""
    (command_line.cwd / "empty").mkdir()
    done = command_line.ours("jobs", "empty")
    assert (done.rc, done.text, done.stderr) == (0, "", "no jobs\n")
    done = command_line.ours("jobs", "empty", "--json")
    assert (done.rc, json.loads(done.text)["jobs"], done.stderr) == (0, [], "")
    for words in ((), ("--json",), ("--prune",), ("--slices",)):
        assert command_line.ours("jobs", "nodir", *words).rc == 66
