"""What ansible-runner's own tests say of events and secrets, and no other test here does."""

from __future__ import annotations

import json
import sys
import warnings
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.execution.conftest import Ran, Workplace

SECRET = "SENSITIVE-9b1c"
SHOWS_ARGUMENTS = {"ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "True"}


def everything(ran: Ran) -> str:
    """Return all that came of a run as one text."""
    files = [path.read_text(errors="replace") for path in ran.artifacts.rglob("*") if path.is_file()]
    return json.dumps(ran.told.events) + "".join(files)


def data_of(ran: Ran, event: str) -> dict[str, Any]:
    """Return the data of the first event of a kind."""
    found: dict[str, Any] = ran.told.named(event)[0]["event_data"]
    return found


def test_arguments_are_shown_where_ansible_shows_them(workplace: Workplace) -> None:
    """A task's arguments are in its events if the user wants them displayed, and never those of a no_log task."""
    name = workplace.playbook(
        f"- command: echo PUBLIC\n- command: echo {SECRET}\n  no_log: true\n- debug: msg=last"
    )
    ran = workplace.run(playbook=name, envvars=SHOWS_ARGUMENTS)
    assert "PUBLIC" in str(ran.told.named("playbook_on_task_start")[0]["event_data"]["task_args"])
    assert SECRET not in everything(ran)


def test_a_modules_own_secrets_are_hidden(workplace: Workplace) -> None:
    """A parameter that the module itself declares secret is in no event, however much is shown."""
    workplace.write("env/extravars", json.dumps({"secret": SECRET}))
    task = "- uri: {url: 'http://127.0.0.1:1/', url_username: me, url_password: '{{ secret }}'}\n  ignore_errors: true"
    ran = workplace.run(playbook=workplace.playbook(task), verbosity=3)
    assert ran.told.named("runner_on_failed")
    assert SECRET not in everything(ran)


def test_hiding_a_result_does_not_change_it(workplace: Workplace) -> None:
    """What is censored in the events is whole where the play uses it."""
    name = workplace.playbook(
        f"- command: echo {SECRET}\n  no_log: true\n  register: it\n  loop: [1, 2]\n"
        f"- assert: {{that: \"it.results | map(attribute='stdout') | unique == ['{SECRET}']\", quiet: true}}\n"
        "  no_log: true"
    )
    ran = workplace.run(playbook=name)
    assert ran.outcome.rc == 0, ran.told.text
    assert "censored" in data_of(ran, "runner_item_on_ok")["res"]
    assert not [event for event in ran.told.events if SECRET in json.dumps(event)]


def test_names_are_resolved(workplace: Workplace) -> None:
    """Events say which action a short name stands for, and which role a task is of."""
    workplace.write("project/roles/greet/tasks/main.yml", "- debug: msg=hello\n")
    collection = "project/collections/ansible_collections/some/where"
    workplace.write(f"{collection}/roles/shout/tasks/main.yml", "- debug: msg=HELLO\n")
    workplace.write(f"{collection}/galaxy.yml", "namespace: some\nname: where\nversion: 1.0.0\n")
    name = workplace.playbook(
        "- include_role: {name: greet}\n- include_role: {name: some.where.shout}\n- debug: msg=bye"
    )
    oks = [event["event_data"] for event in workplace.run(playbook=name).told.named("runner_on_ok")]
    said = {data["res"]["msg"]: data for data in oks if "msg" in data["res"]}
    assert {data["resolved_action"] for data in said.values()} == {"ansible.builtin.debug"}
    assert said["hello"]["role"] == "greet"
    assert "resolved_role" not in said["hello"]
    assert (said["HELLO"]["role"], said["HELLO"]["resolved_role"]) == ("shout", "some.where.shout")
    assert "role" not in said["bye"]


def test_a_notification_is_an_event(workplace: Workplace) -> None:
    """Who notified which handler is told, and the handler's start is marked as conditional."""
    header = "  gather_facts: false\n  handlers:\n    - name: later\n      debug: msg=handled\n"
    name = workplace.playbook("- name: change\n  command: 'true'\n  notify: later", header=header)
    ran = workplace.run(playbook=name)
    notified = data_of(ran, "playbook_on_notify")
    assert (notified["handler"], notified["host"], notified["task"]) == ("later", "localhost", "change")
    starts = [event["event_data"] for event in ran.told.named("playbook_on_task_start")]
    assert [(data["name"], data["is_conditional"]) for data in starts] == [("change", False), ("later", True)]


@pytest.mark.slow
def test_asynchronous_tasks_are_polled_in_events(workplace: Workplace) -> None:
    """A task that is waited for tells each look at it, and its end, with the id of the job."""
    gate = workplace.path / "open"
    task = f"- shell: while [ ! -e {gate} ]; do sleep 0.1; done\n  async: 60\n  poll: 1"
    ran = workplace.begin(playbook=workplace.playbook(task))
    ran.told.wait_for("runner_on_async_poll")
    gate.touch()
    assert ran.outcome.rc == 0
    assert data_of(ran, "runner_on_async_poll")["jid"] == data_of(ran, "runner_on_async_ok")["jid"]
    assert data_of(ran, "runner_on_ok")["res"]["rc"] == 0


def test_a_script_gives_one_event_for_each_line(workplace: Workplace) -> None:
    """What a plain program prints is told line by line, blank ones too, with the lines counted."""
    script = workplace.write("project/say.sh", "echo 'hi world'\necho\nprintf 'no end'\n")
    events = workplace.run(binary="bash", cmdline=str(script)).told.events
    assert [event["event"] for event in events] == ["verbose"] * 3
    assert [event["stdout"] for event in events] == ["hi world", "", "no end"]
    assert [(event["start_line"], event["end_line"]) for event in events] == [(0, 1), (1, 2), (2, 2)]
    assert all(event["created"].endswith("+00:00") for event in events)


def test_a_large_output_in_json_mode(workplace: Workplace) -> None:
    """In json mode each line of the output file is a whole event, however long."""
    script = workplace.write("project/say.py", "print('mark ' * 150)\nprint('x' * 1_000_000)\n")
    ran = workplace.run(binary=sys.executable, cmdline=str(script), json_mode=True)
    kept = [json.loads(line) for line in ran.output.splitlines()]
    assert kept == ran.told.events
    assert kept[0]["stdout"].count("mark") == 150
    assert sum(event["stdout"].count("x") for event in kept) == 1_000_000


def test_all_events_are_plain_data(workplace: Workplace) -> None:
    """Whatever a play holds - dates, sets, bytes, vaulted text - its events are JSON and come back equal."""
    name = workplace.playbook(
        '- set_fact: {when: \'{{ "2020-01-02" | to_datetime("%Y-%m-%d") }}\', odd: [1.5, null, true, {a: b}]}'
    )
    events = workplace.run(playbook=name).told.events
    assert json.loads(json.dumps(events)) == events


@pytest.mark.slow
def test_many_files_and_handles_are_given_back(workplace: Workplace) -> None:
    """A run leaves nothing open: no warning about a resource comes up."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        workplace.run(binary="true")


@pytest.mark.slow
@pytest.mark.parametrize("again", [1, 2])
def test_an_inventory_of_the_job_replaces_the_one_before(workplace: Workplace, again: int) -> None:
    """Inventory text of a second job takes the place of the first's."""
    name = workplace.playbook("- debug: msg={{ inventory_hostname }}")
    for number in range(again):
        text = f"h{number} ansible_connection=local\n"
        ran = workplace.run(playbook=name, inventory=text)
        assert data_of(ran, "runner_on_ok")["host"] == f"h{number}"
