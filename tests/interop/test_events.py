"""Our worker gives what ansible-runner's gives for the same stream, event by event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.interop.cases import Case, play
from tests.interop.cases_events import EVENTS
from tests.interop.cases_inputs import INPUTS
from tests.interop.compare import differences
from tests.interop.event_rules import EVERY, RULES
from tests.interop.workers import (
    Ran,
    make_private_data_dir,
    run_both,
    transmit_ours,
    transmit_peer,
    transmit_raw,
)

CASES = INPUTS | EVENTS
FAST = {
    "inventory-as-dict",
    "loops",
    "module",
    "playbook-as-dict",
    "prompts",
    "role",
}
"""The jobs that the fast tests run."""
IDENT = "job"
TRANSMIT = {"ours": transmit_ours, "peer": transmit_peer, "raw": transmit_raw}


def streams_for(case: Case, short_dir: Path) -> dict[str, bytes]:
    """Return the stream of a job for each worker: the same one, unless the peer has to be asked differently."""
    options = {"ident": IDENT, **case.options}
    stream = make_stream(case, options, short_dir / "sent")
    if not case.peer_options:
        return {"peer": stream, "ours": stream}
    there = str(short_dir / "peer" / "pdd")
    for key, value in case.peer_options.items():
        options[key] = value.replace("{pdd}", there) if isinstance(value, str) else value
    return {"peer": make_stream(case, options, short_dir / "sent to peer"), "ours": stream}


def make_stream(case: Case, options: Mapping[str, Any], private_data_dir: Path) -> bytes:
    """Return the stream of a job whose files are put in a new directory."""
    return TRANSMIT[case.transmit](make_private_data_dir(private_data_dir, case.files), options)


def run_ours(case: Case, short_dir: Path) -> Ran:
    """Run a job on our worker alone."""
    return run_both(short_dir, {"ours": streams_for(case, short_dir)["ours"]})["ours"]


def check_promises(case: Case, ours: Ran) -> None:
    """Check what our worker promises, whatever the peer does."""
    assert not ours.stderr
    assert (ours.exit_code, ours.statuses[-1]["status"]) == (case.rc, case.final_status)
    assert (ours.artifacts["rc"], ours.artifacts["status"]) == (
        str(case.rc).encode(),
        case.final_status.encode(),
    )
    assert case.shows in "\n".join(event["stdout"] for event in ours.events)
    check_numbers(ours.events)
    check_parents(ours.events)
    if not case.options.get("json_mode") and "stdout" in ours.artifacts:
        assert lines_of(ours.artifacts["stdout"].decode()) == lines_of(text_of(ours.events))
    for secret in case.secrets:
        found = [name for name, content in ours.artifacts.items() if secret.encode() in content]
        assert (found, secret.encode() in ours.stream) == ([], False)


def check_numbers(events: list[dict[str, Any]]) -> None:
    """Check that events are counted from 1, and that the lines of each begin where those of the last one ended."""
    line = 0
    for counter, event in enumerate(events, 1):
        assert (event["counter"], event["start_line"]) == (counter, line)
        line = event["end_line"]


def check_parents(events: list[dict[str, Any]]) -> None:
    """Check that a parent has begun before its children."""
    begun: set[str] = set()
    for event in events:
        begun.add(event["uuid"])
        is_ad_hoc = "ad_hoc_command_id" in event
        assert is_ad_hoc or event.get("parent_uuid", event["uuid"]) in begun, event


def text_of(events: list[dict[str, Any]]) -> str:
    """Return the output as events tell it; an empty line is one of the terminal's own."""
    return "".join(f"{event['stdout']}\n" for event in events if event["stdout"] or "event_data" not in event)


def lines_of(text: str) -> list[str]:
    """Return lines, whichever way they end."""
    return [line.rstrip("\r") for line in text.split("\n")]


def check_agreement(name: str, ran: Mapping[str, Ran]) -> None:
    """Check that all differences are explained by rules for this job, and that each of those rules explains one."""
    rules = [rule for rule in RULES if rule.is_for(name)]
    found = differences(ran["peer"], ran["ours"], CASES[name].order)
    unexplained = [item for item in found if not any(rule.covers(item) for rule in rules)]
    assert not unexplained, "\n".join(map(str, unexplained))
    unused = [rule for rule in rules if not any(rule.covers(item) for item in found)]
    assert not unused, f"rules that are for this job, but explain nothing: {unused}"


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in FAST else [pytest.mark.slow]) for name in CASES],
)
def test_both_workers_give_the_same(name: str, short_dir: Path) -> None:
    """Statuses, events, output, files and exit code equal the peer's, but for the listed rules."""
    case = CASES[name]
    ran = run_both(short_dir, streams_for(case, short_dir))
    check_promises(case, ran["ours"])
    check_agreement(name, ran)


def test_rules_are_for_jobs_that_exist() -> None:
    """No rule is for a job that nobody runs, and none is without a reason."""
    named = {job for rule in RULES if rule.jobs != EVERY for job in rule.jobs}
    assert named <= CASES.keys()
    assert all(rule.jobs and rule.reason for rule in RULES)


def test_there_are_enough_jobs() -> None:
    """The two catalogues do not hide each other's jobs, and every playbook is run."""
    assert len(CASES) == len(INPUTS) + len(EVENTS) >= 60
    ran = {str(case.options.get("playbook")) for case in CASES.values()}
    there = {path.name for path in (Path(__file__).with_name("private_data_dir") / "project").glob("*.yml")}
    assert there <= ran


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_result_of_50_megabytes_is_cut_and_marked(short_dir: Path) -> None:
    """A huge result and its text arrive shortened and marked, and the job ends well."""
    case = play("big", extravars={"size": 50_000_000}, verbosity=1)
    ours = run_ours(case, short_dir)
    check_promises(case, ours)
    event = next(event for event in ours.events if event["event"] == "runner_on_ok")
    assert event["event_data"]["res"]["_truncated"] is True
    assert event["event_data"]["res"]["_original_size"] > 50_000_000
    assert event["event_data"]["res"]["stdout"].startswith("yyyy")
    assert "[truncated: " in event["stdout"]
    assert len(json.dumps(event)) < 12_000_000
    assert len(ours.stream) < 30_000_000


@pytest.mark.slow
def test_a_stdout_callback_without_options_works(short_dir: Path) -> None:
    """A stdout callback without documented options shows the output; the peer's plugin fails with it."""
    case = play("failures", rc=2, envvars={"ANSIBLE_STDOUT_CALLBACK": "oneline"}, shows="h1 | SUCCESS => {")
    check_promises(case, run_ours(case, short_dir))


@pytest.mark.slow
def test_a_missing_stdout_callback_is_named(short_dir: Path) -> None:
    """A stdout callback that does not exist is named in ansible's error; the peer's error is a TypeError."""
    shows = "stdout callback 'nosuch' not found"
    case = play("plays", rc=250, envvars={"ANSIBLE_STDOUT_CALLBACK": "nosuch"}, shows=shows)
    check_promises(case, run_ours(case, short_dir))
