"""Every mix of our phases and ansible-runner's gives what ansible-runner alone gives."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.harness import short_directory
from tests.interop.phases import ALL_PEER, MIXES, OURS, PEER, PLAYS, Mix, differences, run
from tests.interop.rules import RULES, Rule

Result = dict[str, Any]
ROLE_FOUND = Mix(OURS, PEER, PEER)
ADJACENT = {Mix(PEER, OURS, OURS), Mix(OURS, PEER, OURS), Mix(OURS, OURS, PEER)}
"""With all of the peer's, these hold every pair of neighbours; a phase sees nothing but the stream of its neighbour."""
FAST = {("playbook", "ours-peer-ours"), ("playbook", "peer-ours-peer")}
"""The jobs that the fast tests run: each of our phases meets each of the peer's."""


@pytest.fixture(scope="session")
def result() -> Iterator[Callable[[str, Mix], Result]]:
    """Run a job through a mix of phases, once for all tests that want it."""
    with short_directory() as base:

        @functools.cache
        def result_of(name: str, mix: Mix) -> Result:
            directory = base / f"{name}-{mix}"
            directory.mkdir()
            return run(PLAYS[name], mix, directory)

        yield result_of


def reference_of(name: str, mix: Mix) -> Mix:
    """Return the mix to compare with: all the peer's, but its transmit sends no way to a role."""
    return ROLE_FOUND if name == "role" and mix.transmit == OURS else ALL_PEER


@pytest.mark.parametrize(
    ("name", "mix"),
    [
        pytest.param(
            name, mix, marks=[] if (name, str(mix)) in FAST else [pytest.mark.slow], id=f"{name}-{mix}"
        )
        for name in PLAYS
        for mix in MIXES[1:]
        if name == "playbook" or mix in ADJACENT
    ],
)
def test_mix_gives_what_the_peer_gives(result: Callable[[str, Mix], Result], name: str, mix: Mix) -> None:
    """Return codes, statuses, output, files, modes and events equal the peer's, but for the listed rules."""
    reference = reference_of(name, mix)
    found = differences(result(name, reference), result(name, mix))
    unexplained = [item for item in found if not any(rule.covers(mix, item) for rule in RULES)]
    assert not unexplained, "\n".join(map(str, unexplained))


@pytest.mark.slow
@pytest.mark.parametrize("name", PLAYS)
@pytest.mark.parametrize("process", [OURS, PEER])
def test_job_ends_as_it_should(result: Callable[[str, Mix], Result], name: str, process: str) -> None:
    """The references are no empty agreement: each job has the return code, status and output of its kind."""
    found = result(name, Mix(OURS, PEER, process))
    rc = PLAYS[name].rc
    assert (found["/files/rc"], found["/codes/worker"]) == (str(rc), rc)
    assert found["/files/status"] == ("failed" if rc else "successful")
    assert found["/codes/process"] == (rc if process == OURS else 0)
    assert found["/codes/transmit"] == 0
    assert any("PLAY RECAP" in str(value) for path, value in found.items() if path.startswith("/shown/")) == (
        name in {"playbook", "role", "failed"}
    )


@pytest.mark.slow
def test_role_is_found_through_our_transmit_only(result: Callable[[str, Mix], Result]) -> None:
    """The peer's transmit loses the way to a shipped role, so that its job fails; ours does not."""
    lost, found = result("role", ALL_PEER), result("role", ROLE_FOUND)
    assert (lost["/files/rc"], found["/files/rc"]) == ("1", "0")
    assert "role 'greet' was not found" in lost["/stdout/0"]
    assert any("hello world" in str(value) for value in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_is_needed(result: Callable[[str, Mix], Result], rule: Rule) -> None:
    """Each rule names a difference that does appear."""
    mix = Mix(*(OURS if phase == rule.phase else PEER for phase in ("transmit", "worker", "process")))
    found = differences(result(rule.example, ALL_PEER), result(rule.example, mix))
    assert any(rule.covers(mix, item) for item in found)
