"""The callback plugin on top of any stdout callback: it adds events and takes nothing from its base."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from receptor_runner.execution.command import CALLBACK_DIRECTORY
from tests.execution.conftest import Workplace

PLUGIN = CALLBACK_DIRECTORY / "receptor_runner_events.py"
LOADER_CONTRACT = {"CALLBACK_VERSION", "CALLBACK_TYPE", "CALLBACK_NAME"}
TASKS = """
- name: one
  command: echo {{ item }}
  loop: [1, 2]
- name: two
  fail: msg=no
  ignore_errors: true
- include_tasks: more.yml
- debug: msg=last
  when: false
"""

PRINTING = """
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "printing"

    def v2_runner_on_ok(self, result):
        print("printed for", (result.task if hasattr(result, "task") else result._task).name)
"""

HELPFUL = """
from ansible.plugins.callback.default import CallbackModule as Default

class CallbackModule(Default):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "helpful"

    def __init__(self):
        super().__init__()
        for name in (NAMES):
            setattr(self, name, self._fail)

    def _fail(self, *args, **kwargs):
        raise AssertionError("the plugin used a name of its base")
"""


def bundled_callbacks() -> list[str]:
    """Return the names of all callbacks that ansible-core ships; each of them can be the stdout callback."""
    from ansible.plugins import callback

    return sorted(path.stem for path in Path(callback.__file__).parent.glob("[a-z]*.py"))


def class_body(name: str) -> ast.ClassDef:
    """Return a class of the plugin's source."""
    nodes = ast.parse(PLUGIN.read_text()).body
    return next(node for node in nodes if isinstance(node, ast.ClassDef) and node.name == name)


def test_the_plugin_defines_callback_methods_only() -> None:
    """Apart from what ansible itself calls, the plugin's class has no name that a base could have too."""
    body = class_body("CallbackModule")
    methods = {node.name for node in body.body if isinstance(node, ast.FunctionDef)}
    assigned = {
        node.id for node in ast.walk(body) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    attributes = [
        node for node in ast.walk(body) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    ]
    assert all(name.startswith("v2_") for name in methods - {"set_options"})
    assert assigned >= LOADER_CONTRACT
    assert not [node for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "self"]


@pytest.mark.slow
@pytest.mark.parametrize("callback", bundled_callbacks())
def test_every_bundled_callback_can_be_the_base(workplace: Workplace, callback: str) -> None:
    """Whatever displays the output, the same events arrive and the job succeeds."""
    workplace.write("project/more.yml", "- debug: msg=more\n")
    outputs = {"JUNIT_OUTPUT_DIR": str(workplace.path / "junit"), "ANSIBLE_CALLBACK_TREE_DIR": "tree"}
    name = workplace.playbook(TASKS)
    ran = workplace.run(playbook=name, envvars={"ANSIBLE_STDOUT_CALLBACK": callback, **outputs})
    assert ran.outcome.rc == 0, ran.told.text
    found = [event["event"] for event in ran.told.events]
    task = ["playbook_on_task_start", "runner_on_start"]
    assert [kind for kind in found if kind.startswith(("playbook_", "runner_"))] == [
        "playbook_on_start", "playbook_on_play_start",
        *task, "runner_item_on_ok", "runner_item_on_ok", "runner_on_ok",
        *task, "runner_on_failed",
        *task, "runner_on_ok", "playbook_on_include",
        *task, "runner_on_ok",
        *task, "runner_on_skipped",
        "playbook_on_stats",
    ]  # fmt: skip
    if callback == "junit":
        assert "testsuite" in next((workplace.path / "junit").iterdir()).read_text()


def test_a_callback_of_the_project_can_be_the_base(workplace: Workplace) -> None:
    """A hand-written stdout callback keeps every attribute that it sets itself."""
    helpers = [node.name for node in class_body("Reporter").body if isinstance(node, ast.FunctionDef)]
    names = [f"{prefix}{name.lstrip('_')}" for name in helpers for prefix in ("", "_")]
    source = HELPFUL.replace("NAMES", ", ".join(map(repr, names)))
    workplace.write("project/callback_plugins/helpful.py", source)
    envvars = {"ANSIBLE_STDOUT_CALLBACK": "helpful", "ANSIBLE_CALLBACK_PLUGINS": "callback_plugins"}
    ran = workplace.run(playbook=workplace.playbook("- debug: msg=x"), envvars=envvars)
    assert ran.told.named("runner_on_ok")
    assert "AssertionError" not in ran.told.text


def test_printed_lines_follow_the_event_they_were_printed_after(workplace: Workplace) -> None:
    """What another callback prints for a result comes after that result's event and before the next one."""
    workplace.write("project/callback_plugins/printing.py", PRINTING)
    tasks = "\n".join(f"- name: t{number}\n  debug: msg=x" for number in range(40))
    envvars = {"ANSIBLE_CALLBACK_PLUGINS": "callback_plugins", "ANSIBLE_CALLBACKS_ENABLED": "printing"}
    events = workplace.run(playbook=workplace.playbook(tasks), envvars=envvars).told.events
    found = [
        event["event_data"]["task"] if event["event"] == "runner_on_ok" else event["stdout"]
        for event in events
        if event["event"] == "runner_on_ok" or event["stdout"].startswith("printed")
    ]
    assert found == [text for number in range(40) for text in (f"t{number}", f"printed for t{number}")]
    printed = next(event for event in events if event["stdout"].startswith("printed"))
    assert printed["event"] == "verbose"
    assert "event_data" not in printed
