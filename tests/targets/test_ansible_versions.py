"""The same jobs, by the oldest ansible-core that is supported and by the newest that is installed here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from receptor_runner.handlers import runner_config
from receptor_runner.runner import Runner
from tests.harness import BIN, OURS, Pipe, Project, Ran
from tests.targets.conftest import OLDEST_ANSIBLE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SECRET = "nobody-may-see-this"


@dataclass
class Version:
    """Jobs by one ansible-core: the one that is first on the job's PATH."""

    project: Project
    pipe: Pipe
    programs: Path

    def run(self, *words: str) -> Ran:
        """Run a job through the three phases."""
        path = {"PATH": f"{self.programs}:/usr/bin:/bin"}
        self.project.write("env/envvars", json.dumps(path))
        return self.pipe.run(self.project, *words)

    @property
    def runner(self) -> Runner:
        """The job as the Python interface shows it."""
        return Runner(runner_config(self.project.path, "job"))


@pytest.fixture(params=["oldest", "newest"])
def version(request: pytest.FixtureRequest, project: Project, environment: dict[str, str]) -> Version:
    """Each ansible-core in turn."""
    pipe = Pipe(environment, {"receptor-runner": [OURS, "worker"]})
    programs = request.getfixturevalue("oldest_ansible") if request.param == "oldest" else BIN
    return Version(project, pipe, programs)


PLAY = f"""
- debug: msg="ansible {{{{ ansible_version.full }}}}"
- command: echo {SECRET}
  no_log: true
- set_fact: {{colour: blue, cacheable: true}}
- debug: msg={{{{ item }}}}
  loop: [one, two]
- fail: msg=expected
  ignore_errors: true
- fail: msg=really
"""


def test_a_play_with_everything(version: Version, request: pytest.FixtureRequest) -> None:
    """Events, loops, no_log, a failure, facts and stats are as they should be, whichever ansible runs."""
    version.project.playbook(PLAY, header="  gather_facts: true\n  gather_subset: [min]\n")
    ran = version.run("-p", "test.yml")
    assert (ran.rc, ran.read("rc"), ran.read("status")) == (2, "2", "failed")
    said = ran.named("runner_on_ok")[1]["event_data"]["res"]["msg"]
    assert ("oldest" in request.node.name) == (f"ansible {OLDEST_ANSIBLE}." in said)
    assert SECRET not in ran.everything()
    assert [event["event_data"]["res"]["item"] for event in ran.named("runner_item_on_ok")] == ["one", "two"]
    ignored = [event["event_data"]["ignore_errors"] for event in ran.named("runner_on_failed")]
    assert [bool(value) for value in ignored] == [True, False]
    events = ran.events()
    assert [event["counter"] for event in events] == list(range(1, len(events) + 1))
    assert all(event["event_data"] for event in events if event["event"] != "verbose")
    assert events[-1]["event"] == "playbook_on_stats"
    facts = version.runner.get_fact_cache("localhost")
    assert (facts["ansible_system"], facts["colour"]) == ("Linux", "blue")
    assert version.runner.stats == {
        "skipped": {},
        "ok": {"localhost": 6},
        "dark": {},
        "failures": {"localhost": 1},
        "ignored": {"localhost": 1},
        "rescued": {},
        "processed": {"localhost": 1},
        "changed": {"localhost": 1},
    }


def test_an_ad_hoc_module(version: Version) -> None:
    """A module has exactly the four events of an ad-hoc run."""
    ran = version.run("-m", "debug", "-a", "msg=hi", "--hosts", "all")
    assert ran.rc == 0, ran.text
    names = [event["event"] for event in ran.events() if event["event"] != "verbose"]
    assert names == ["playbook_on_start", "runner_on_start", "runner_on_ok", "playbook_on_stats"]


def test_facts_that_are_given(version: Version) -> None:
    """Facts that were set through the Python interface are in the cache of the next job, and changed there."""
    version.runner.set_fact_cache("localhost", {"colour": "green"})
    version.project.playbook(
        "- debug: msg={{ ansible_facts.colour }}\n- set_fact: {colour: red, cacheable: true}"
    )
    ran = version.run("-p", "test.yml")
    assert ran.rc == 0, ran.text
    assert ran.named("runner_on_ok")[0]["event_data"]["res"]["msg"] == "green"
    assert version.runner.get_fact_cache("localhost")["colour"] == "red"


def test_a_playbook_that_is_missing(version: Version) -> None:
    """Ansible's own words about a missing playbook are told, with its 1."""
    ran = version.run("-p", "/nowhere.yml")
    assert (ran.rc, ran.read("status")) == (1, "failed")
    assert "nowhere.yml could not be found" in ran.text
