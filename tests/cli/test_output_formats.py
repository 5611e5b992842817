"""What `--output` prints of a job, and what stays the same whatever is printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.harness import read_events

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import CommandLine, Commands, Project


@pytest.fixture
def failing(project: Project) -> Project:
    """A project whose playbook fails in its second task."""
    project.playbook("- debug: msg=hello\n- fail: msg=broken\n")
    return project


def test_ndjson_is_what_came(commands: Commands, failing: Project) -> None:
    """Each line is an object: the status lines and events as they came, in order, and the job at the end."""
    done = commands.ours("run", failing.path, "-p", "test.yml", "-i", "job", "--output", "ndjson")
    assert done.rc == 2
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.text.splitlines()]
    events = [line for line in lines if "event" in line]
    assert events == read_events(failing.artifacts("job"))
    assert [line["status"] for line in lines if "status" in line] == [
        "starting",
        "running",
        "failed",
        "failed",
    ]
    assert (lines[-1]["schema"], lines[-1]["ident"], lines[-1]["rc"]) == (1, "job", 2)


def test_quiet_prints_errors_alone(commands: Commands, failing: Project) -> None:
    """Nothing on stdout, no notes on stderr; the exit code and the artifacts are there."""
    done = commands.ours("run", failing.path, "-p", "test.yml", "-i", "job", "-q")
    assert (done.rc, done.text, done.stderr) == (2, "", "")
    assert "hello" in (failing.artifacts("job") / "stdout").read_text()
    refused = commands.ours("run", failing.path, "-p", "test.yml", "-i", "job", "--output", "quiet")
    assert refused.rc == 73
    assert refused.stderr.startswith("error: ")


def test_text_ends_with_a_summary(commands: Commands, failing: Project) -> None:
    """Without a terminal the summary is plain lines on stderr, and stdout is the artifact without colors."""
    done = commands.ours("run", failing.path, "-p", "test.yml", "-i", "job")
    *_, status, artifacts = done.stderr.splitlines()
    assert status.startswith("failed on ")
    assert status.endswith("; 1 host, 1 failed")
    assert artifacts == f"artifacts: {failing.artifacts('job')}"
    assert "\x1b" not in done.text
    colored = commands.ours("attach", failing.path, "-i", "job", "--color", "always")
    assert colored.rc == 2


@pytest.mark.parametrize(
    "words", [("--json", "-q"), ("--output", "ndjson", "--json"), ("--output", "text", "-q")]
)
def test_formats_exclude_each_other(command_line: CommandLine, words: tuple[str, ...]) -> None:
    """Two formats in one call are an error before anything is done."""
    done = command_line.ours("run", "DIR", "-p", "site.yml", *words)
    assert done.rc == 64
    assert "conflicting output formats" in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("run nowhere -p x.yml --json", 66),
        ("run nowhere -p x.yml --output ndjson", 66),
        ("submit nowhere -p x.yml --json", 66),
        ("attach nowhere -i a --json", 66),
        ("cancel nowhere -i a --json", 66),
        ("jobs --json --interval x", 64),
        ("nodes --json --socket nowhere --retry-deadline 0", 69),
        ("mesh check nowhere --json", 66),
        ("worker cleanup --json --file-pattern /", 64),
    ],
)
def test_a_failure_is_an_object_too(commands: Commands, tmp_path: Path, words: str, code: int) -> None:
    """A program that waits for JSON gets one object, which says why there is no other; stderr says it too."""
    done = commands.ours(*(str(tmp_path / word) if word == "nowhere" else word for word in words.split()))
    (failure,) = map(json.loads, done.text.splitlines())
    assert (done.rc, failure["error"]["exit_code"], failure["verdict"]) == (code, code, False)
    assert failure["error"]["what"].split()[0] in done.stderr
