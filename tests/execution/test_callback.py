"""The callback plugin, as events show it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.execution.conftest import Workplace

SECRET = "SENSITIVE-7f3a"


def test_no_log_leaks_nowhere(workplace: Workplace) -> None:
    """A value under no_log is in no event, not in the output, and not in any file, however verbose."""
    name = workplace.playbook(
        """
- name: plain
  command: echo {{ secret }}
  no_log: true
- name: loop
  command: echo {{ item }}
  loop: ["{{ secret }}1", "{{ secret }}2"]
  no_log: true
- name: failed
  shell: echo {{ secret }}; exit 1
  no_log: true
  ignore_errors: true
- name: diff
  copy: {content: "{{ secret }}", dest: "{{ playbook_dir }}/../secret"}
  diff: true
  no_log: true
- debug: msg=public
"""
    )
    shows_arguments = {"ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "True"}
    ran = workplace.run(playbook=name, verbosity=2, envvars=shows_arguments, extravars={"secret": SECRET})
    assert SECRET not in json.dumps(ran.told.events) + json.dumps(ran.told.statuses)
    assert "public" in ran.output
    for path in ran.artifacts.rglob("*"):
        assert path.is_dir() or SECRET not in path.read_text()


def test_no_log_of_single_items_leaks_nowhere(workplace: Workplace) -> None:
    """Where only some results of a loop are no_log, those are censored."""
    name = workplace.playbook(
        """
- command: echo {{ item }}
  loop: ["{{ secret }}", open]
  no_log: "{{ item == secret }}"
"""
    )
    ran = workplace.run(playbook=name, extravars={"secret": SECRET})
    assert SECRET not in json.dumps(ran.told.events)


def test_a_huge_result_is_cut_and_marked(workplace: Workplace) -> None:
    """A result over MAX_EVENT_RES keeps its shape, with its long texts cut, and says how long it was."""
    name = workplace.playbook("- command: python3 -c 'print(\"x\" * 300000)'\n- debug: msg=done")
    ran = workplace.run(playbook=name, envvars={"MAX_EVENT_RES": "20000"})
    res = ran.told.named("runner_on_ok")[0]["event_data"]["res"]
    assert res["_truncated"] is True
    assert res["_original_size"] > 600000
    assert res["rc"] == 0
    assert res["stdout"].startswith("xxxx")
    assert "truncated" in res["stdout"]
    assert len(str(res)) <= 20000
    assert "_truncated" not in ran.told.named("runner_on_ok")[1]["event_data"]["res"]


@pytest.mark.parametrize("limit", ["many", "-1", "1e6"])
def test_a_limit_that_is_not_a_number_costs_no_event(workplace: Workplace, limit: str) -> None:
    """With an invalid MAX_EVENT_RES every event arrives whole, and a warning says which limit applies."""
    ran = workplace.run(playbook=workplace.playbook("- debug: msg=x"), envvars={"MAX_EVENT_RES": limit})
    assert ran.told.named("runner_on_ok")[0]["event_data"]["res"]["msg"] == "x"
    assert ran.told.named("playbook_on_stats")
    assert "MAX_EVENT_RES is not a number, using 700000" in " ".join(ran.told.text.split())


@pytest.mark.slow
def test_a_second_playbook_starts_without_play_and_task(workplace: Workplace) -> None:
    """What is reported between two playbooks names neither a play nor a task of the first one."""
    first = workplace.playbook("- debug: msg=x")
    workplace.write("project/second.yml", "- hosts: nowhere:localhost\n")
    workplace.write("args", f"ansible-playbook -i {workplace.path}/inventory {first} second.yml")
    ran = workplace.run()
    later = ran.told.events[ran.told.events.index(ran.told.named("playbook_on_start")[1]) :]
    warning = next(event for event in later if event["event"] == "warning")
    assert not {"task", "play"} & (later[0]["event_data"].keys() | warning["event_data"].keys())
    assert warning["parent_uuid"] == later[0]["uuid"]


def test_event_data_can_be_omitted(workplace: Workplace) -> None:
    """With omit_event_data every event_data is empty."""
    ran = workplace.run(playbook=workplace.playbook("- debug: msg=x"), omit_event_data=True)
    assert [event["event_data"] for event in ran.told.events] == [{}] * len(ran.told.events)


def test_event_data_can_be_kept_for_failures_only(workplace: Workplace) -> None:
    """With only_failed_event_data, failed results and failed items keep their data, and nothing else does."""
    name = workplace.playbook("- debug: msg=x\n- command: /bin/false\n  loop: [1]\n  ignore_errors: true")
    ran = workplace.run(playbook=name, only_failed_event_data=True)
    kept = [event["event"] for event in ran.told.events if event["event_data"]]
    assert kept == ["runner_item_on_failed", "runner_on_failed"]


def test_statistics_and_custom_data_arrive(workplace: Workplace) -> None:
    """The statistics name every host in every count, and set_stats arrives as artifact_data."""
    ran = workplace.run(playbook=workplace.playbook("- set_stats: {data: {answer: 42}}"))
    data = ran.told.named("playbook_on_stats")[0]["event_data"]
    assert data["ok"] == {"localhost": 1}
    assert data["artifact_data"] == {"answer": 42}
    assert {"changed", "dark", "failures", "ignored", "processed", "rescued", "skipped"} <= set(data)


def test_a_repeated_play_and_task_have_ids_of_their_own(workplace: Workplace) -> None:
    """Where serial runs the same play again, no uuid comes twice."""
    local = "ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'"
    workplace.write("inventory/hosts", f"h1 {local}\nh2 {local}\n")
    name = workplace.playbook("- debug: msg=x", header="  gather_facts: false\n  serial: 1\n")
    ids = [event["uuid"] for event in workplace.run(playbook=name).told.events]
    assert len(set(ids)) == len(ids)
    assert sum(entry.endswith("_2") for entry in ids) == 2


def test_verbose_lines_are_events_with_their_level(workplace: Workplace) -> None:
    """Text outside of results is a verbose event with its verbosity and the text of one line."""
    ran = workplace.run(playbook=workplace.playbook("- debug: msg=x"), verbosity=2)
    leveled = [event for event in ran.told.named("verbose") if "verbosity" in event]
    assert leveled
    assert all(event["event_data"]["verbose"] is True for event in leveled)


def test_the_environment_of_a_host_is_not_reported(workplace: Workplace) -> None:
    """Gathered facts arrive without ansible_env, under either name of the module."""
    name = workplace.playbook(
        "- ansible.builtin.setup: {gather_subset: [env]}\n- setup: {gather_subset: [env]}"
    )
    ran = workplace.run(playbook=name, verbosity=1, envvars={"HIDDEN": SECRET})
    assert len(ran.told.named("runner_on_ok")) == 2
    assert SECRET not in json.dumps(ran.told.events)


@pytest.mark.parametrize("text", ["Ünïcode ✓ 漢字", 'tab\\tquote\\"'])
def test_any_text_arrives_as_it_is(workplace: Workplace, text: str) -> None:
    """Names and messages outside of ASCII arrive unharmed, in data and in what is shown."""
    ran = workplace.run(playbook=workplace.playbook(f'- name: "{text}"\n  debug: msg="{text}"'))
    shown: dict[str, Any] = ran.told.named("runner_on_ok")[0]
    assert shown["event_data"]["task"] == shown["event_data"]["res"]["msg"] == json.loads(f'"{text}"')
    assert shown["event_data"]["task"].split("\t")[0] in shown["stdout"] + ran.told.text


@pytest.mark.slow
def test_the_error_of_a_hidden_result_is_hidden_too(workplace: Workplace) -> None:
    """The message with which a no_log task fails is shown nowhere, in a loop neither, whatever shows the output."""
    name = workplace.playbook(
        """
- fail: {msg: "{{ secret }}"}
  no_log: true
  ignore_errors: true
- fail: {msg: "{{ item }}"}
  loop: ["{{ secret }}"]
  no_log: true
"""
    )
    for shown_by in ("default", "minimal", "oneline"):
        envvars = {"ANSIBLE_STDOUT_CALLBACK": shown_by}
        ran = workplace.run(playbook=name, envvars=envvars, extravars={"secret": SECRET}, verbosity=3)
        assert ran.outcome.rc == 2
        assert SECRET not in json.dumps(ran.told.events) + ran.output


def test_warnings_of_a_result_stand_before_its_event(workplace: Workplace) -> None:
    """What ansible warns of when it shows a result is told line by line before it; what it shows, with it."""
    name = workplace.playbook("- debug: msg=x\n  when: '{{ true }}'")
    ran = workplace.run(playbook=name, envvars={"ANSIBLE_DEPRECATION_WARNINGS": "True"})
    result = ran.told.named("runner_on_ok")[0]
    warnings = [event for event in ran.told.named("verbose") if "[DEPRECATION WARNING]" in event["stdout"]]
    assert warnings
    assert warnings[0]["counter"] < result["counter"]
    assert "DEPRECATION" not in result["stdout"]
